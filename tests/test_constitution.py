"""The packaged constitution, and one of one's own."""

from pathlib import Path

import pytest

from tuneworks.factory.constitutional.constitution import OURS, Principle, load_constitution
from tuneworks.factory.errors import InputError
from tuneworks.factory.language import language_of
from tuneworks.factory.wording import repetition

TOPICS = {"harmlessness", "honesty", "helpfulness"}


def test_the_packaged_principles() -> None:
    ours = load_constitution(None)
    assert set(ours) == {"en", "zh"}
    for language, principles in ours.items():
        assert len(principles) >= 16
        assert {p.topic for p in principles} == TOPICS
        assert len({p.critique for p in principles}) == len({p.revision for p in principles}) == len(principles)
        for p in principles:
            for text in (p.critique, p.revision):
                assert language_of(text) == language and text[-1] in ".。" and repetition(text) is None
    assert [(p.id, p.topic) for p in ours["en"]] == [(p.id, p.topic) for p in ours["zh"]]


def test_the_docs_list_the_principles() -> None:
    page = (Path(__file__).parent.parent / "docs" / "constitutional.md").read_text(encoding="utf-8")
    for p in load_constitution(None)["en"]:
        assert f"`{p.id}`" in page, p.id
    assert OURS.is_file()


def test_a_list_alone_is_for_both_languages(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("- {id: wet, topic: fish, critique: 'Where is it dry? ', revision: Make it wet.}")
    wet = (Principle("wet", "fish", "Where is it dry?", "Make it wet."),)
    assert load_constitution(str(path)) == {"en": wet, "zh": wet}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "the constitution .*mine.yaml has an empty list; write at least one principle in it"),
        ("en: []", "has an empty list"),
        (
            "- {id: a, topic: t, critique: c, revision: r}\n- {id: a, topic: t, critique: d, revision: s}",
            "entry 2 of the constitution .*mine.yaml has the id 'a', as an earlier one; rename it",
        ),
        ("- {id: a, topic: t, critique: c}", r"entry 1 \(a\) in the constitution .*mine.yaml lacks revision; add it"),
    ],
)
def test_a_mistake_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_constitution(str(path))
