"""Audits of records, of a run's folder and of files: what reaches the counting, and from where."""

import json
from pathlib import Path

import pytest
from test_run import built

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import REWARD, Answer, Record, Rejected
from tuneworks.pipelines import stages
from tuneworks.pipelines.audit import audited, pairs
from tuneworks.pipelines.audit.audited import audited_file, audited_records, audited_run
from tuneworks.pipelines.recipe import parse_recipe

DIFFER = "chosen and rejected answer different prompts: they part at turn 1"

RECIPE = """name: paired
sources:
  mine:
    file: {file}
  others:
    seeds: builtin
    stages:
      - length: {{min_words: 1, max_words: 1}}
datasets: [preference]
holdout: 0
"""


def dialogue(question: str, answer: str) -> str:
    return f"\n\nHuman: {question}\n\nAssistant: {answer}"


def rows() -> list[dict[str, str]]:
    """Six pairs: two are of one prompt, two have prompts that differ, one has an empty answer."""
    asked = [f"Question {n}?" for n in range(5)] + ["Question 0?"]
    made = [{"chosen": dialogue(q, f"Answer {n}."), "rejected": dialogue(q, "No.")} for n, q in enumerate(asked)]
    made[2]["rejected"] = dialogue("Another?", "No.")
    made[3]["rejected"] = dialogue("Yet another?", "No.")
    made[4]["chosen"] = dialogue(asked[4], "")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows()))
    return path


def test_a_file(file: Path) -> None:
    found = audited_file(file)
    assert (found.seen, found.pairs, found.unpaired) == (6, 3, 0)
    assert (found.differing_prompts.count, found.differing_prompts.examples) == (2, ("row 3", "row 4"))
    assert (found.empty.examples, found.duplicate_prompts.examples) == (("row 5",), ("row 6",))
    assert found.characters.longer.count == 3 and found.margins.known == 0
    assert audited_file(str(file)) == found


def test_a_run_says_of_its_file_what_the_audit_of_the_file_says(file: Path, tmp_path: Path) -> None:
    built(parse_recipe(RECIPE.format(file=file), "r.yaml"), tmp_path / "run")
    found, alone = audited_run(tmp_path / "run"), audited_file(file)
    assert (found.seen, found.pairs, found.unpaired) == (6, 3, 0)
    for name in ("differing_prompts", "empty", "duplicate_prompts", "refusals_chosen"):
        assert getattr(found, name).count == getattr(alone, name).count
    assert found.aside == alone.aside and found.words == alone.words.__class__(
        **{name: getattr(found.words, name) for name in ("longer", "shorter", "equal")},
        **{name: getattr(alone.words, name) for name in ("interval", "median_ratio", "accuracy", "spearman")},
    )
    text = (tmp_path / "run" / "01-mine-file" / "rejected.parquet").read_bytes()
    assert all(example.encode() in text for example in found.differing_prompts.examples), "why can follow the ids"


def test_what_filters_reject_is_no_concern(tmp_path: Path, file: Path) -> None:
    built(parse_recipe(RECIPE.format(file=file), "r.yaml"), tmp_path / "run")
    first = tmp_path / "run" / "01-mine-file"
    assert audited_run(tmp_path / "run", first) == audited_run(tmp_path / "run")
    named = {item.stage for item in audited.set_aside_by_sources(tmp_path / "run")}
    assert named == {"mine.file"}


def test_records_and_what_their_sources_set_aside() -> None:
    answers = [Answer("yes", scores={REWARD: 1.0}), Answer("no", scores={REWARD: 0.0})]
    records = [Record.born(f"Question {n}?", answers=answers) for n in range(3)]
    broken = Record.born("Another?", answers=answers, meta={"layout": "dialogue"})
    found = audited_records(records, [Rejected(broken, "s.file", DIFFER)])
    assert (found.seen, found.pairs) == (4, 3)
    assert found.differing_prompts.examples == (broken.id,)
    assert found.repeated_chosen.count == 3
    assert audited_records([]).seen == 0


def test_slices_and_batches_do_not_show(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(parse_recipe(RECIPE.format(file=file), "r.yaml"), tmp_path / "run")
    whole = audited_run(tmp_path / "run"), audited_file(file)
    monkeypatch.setattr(pairs, "BATCH", 2)
    monkeypatch.setattr(stages, "ROW_GROUP", 2)
    assert (audited_run(tmp_path / "run"), audited_file(file)) == whole


def test_a_run_without_a_step_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no whole step yet; go on with: tuneworks build"):
        audited_run(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        audited_file(tmp_path / "none.jsonl")
