"""The packaged examples, and a file of one's own."""

from pathlib import Path

import pytest

from tuneworks.factory.constitutional.constitution import load_constitution
from tuneworks.factory.constitutional.examples import load_examples
from tuneworks.factory.errors import InputError
from tuneworks.factory.language import language_of


def test_the_packaged_examples() -> None:
    ours, constitution = load_examples(None), load_constitution(None)
    assert set(ours) == {"en", "zh"}
    for language, examples in ours.items():
        requests = {(p.critique, p.revision) for p in constitution[language]}
        assert len(examples) >= 5 and len({e.prompt for e in examples}) == len(examples)
        for e in examples:
            assert (e.critique_request, e.revision_request) in requests, "an example is of a principle of ours"
            assert {language_of(t) for t in (e.prompt, e.answer, e.critique, e.revision)} == {language}
        fine = [e for e in examples if e.revision == e.answer]
        assert 2 <= len(fine) < len(examples) - 1, "some answers are fine, and most are not"
        says_so = "Nothing is wrong" if language == "en" else "没有问题"
        assert [e for e in examples if says_so in e.critique] == fine


def test_a_file_may_show_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("zh: []")
    assert load_examples(str(path)) == {"zh": ()}


def test_a_mistake_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("- {prompt: p, answer: a, critique_request: c, critique: c, revision_request: r}")
    with pytest.raises(InputError, match=r"entry 1 in the examples file .*mine.yaml lacks revision; add it"):
        load_examples(str(path))
