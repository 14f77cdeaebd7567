"""Pairs as rows: out of records, out of what was set aside, and out of files of several layouts."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Message, Record, Rejected
from tuneworks.pipelines.audit.pairs import BATCH, PAIRS, Pair, batches, file_pairs, record_pairs, rejected_pairs
from tuneworks.trainers.rows import preference_rows


def scored(*rewards: float, texts: tuple[str, ...] = ("one", "two", "three"), **meta: Any) -> Record:
    answers = [Answer(text, scores={REWARD: reward}) for text, reward in zip(texts, rewards, strict=False)]
    return Record.born("Why?", answers=answers, meta=meta)


def rows_file(tmp_path: Path, *rows: object, name: str = "pairs.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_records_give_the_pairs_of_the_preference_view() -> None:
    records = [scored(1.0, 3.0, 2.0), scored(0.5, 0.25)]
    pairs = list(record_pairs(records))
    rows = list(preference_rows(records))
    assert [(p.id, p.chosen, p.rejected, p.margin) for p in pairs] == [
        (r["id"], r["chosen"][0]["content"], r["rejected"][0]["content"], r["margin"]) for r in rows
    ]
    assert all(p.aside is None and p.prompt == "user\nWhy?" for p in pairs)


def test_a_record_without_a_pair_says_why_and_shows_its_answers_where_it_has_two() -> None:
    tie, same, alone = record_pairs([scored(2.0, 2.0), scored(2.0, 1.0, texts=("so", " so ")), scored(1.0)])
    assert (tie.chosen, tie.rejected, tie.margin, tie.aside) == ("one", "two", 0.0, "its 2 rewards are all 2, a tie")
    assert (same.chosen, same.rejected) == ("so", " so ") and "the same text" in str(same.aside)
    assert alone.chosen is None and "a pair needs 2" in str(alone.aside)


def test_a_soft_label_is_the_probability() -> None:
    answers = [Answer("a", scores={PAIR: 1.0, PREFERRED: 0.75}), Answer("b", scores={PAIR: 0.0})]
    (pair,) = record_pairs([Record.born("Why?", answers=answers)])
    assert (pair.margin, pair.probability) == (None, 0.75)


def test_only_rows_that_were_read_as_pairs_count_among_the_rejected() -> None:
    pair, other = scored(1.0, 0.0, layout="dialogue"), scored(1.0, 0.0, layout="alpaca")
    reason = "chosen and rejected answer different prompts: they part at turn 2"
    found = list(rejected_pairs([Rejected(pair, "s.file", reason), Rejected(other, "s.rules", "it is short")]))
    assert [(p.chosen, p.rejected, p.aside) for p in found] == [("one", "two", reason)]


def test_files_of_every_layout(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Why?"}]
    spoken = {side: [*turns, {"role": "assistant", "content": side}] for side in ("chosen", "rejected")}
    sharegpt = {"conversations": [{"from": "human", "value": "Why?"}], "chosen": {"from": "gpt", "value": "chosen"}}
    rows = [
        {"prompt": "Why?", "chosen": "chosen", "rejected": "rejected"},
        {"prompt": turns, "chosen": spoken["chosen"][1:], "rejected": spoken["rejected"][1:]},
        spoken,
        {"chosen": "\n\nHuman: Why?\n\nAssistant: chosen", "rejected": "\n\nHuman: Why?\n\nAssistant: rejected"},
        {**sharegpt, "rejected": {"from": "gpt", "value": "rejected"}},
        {"instruction": "Why?", "chosen": "chosen", "rejected": "rejected"},
    ]
    pairs = list(file_pairs(rows_file(tmp_path, *rows)))
    assert {(p.prompt, p.chosen, p.rejected, p.margin, p.aside) for p in pairs} == {
        ("user\nWhy?", "chosen", "rejected", None, None)
    }
    assert [p.id for p in pairs] == [f"row {n}" for n in range(1, 7)]
    parquet = tmp_path / "pairs.parquet"
    pl.DataFrame(rows[1:2]).write_parquet(parquet)
    assert next(file_pairs(parquet)).chosen == "chosen"
    packed = tmp_path / "pairs.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / "pairs.jsonl").read_bytes()))
    assert list(file_pairs(packed)) == pairs


@pytest.mark.parametrize(
    ("columns", "margin"),
    [
        ({"margin": 0.5}, 0.5),
        ({"margin": 0.0, "score_chosen": 9, "score_rejected": 1}, 0.0),
        ({"score_chosen": 8.5, "score_rejected": 6}, 2.5),
        ({"chosen_rating": 3, "rejected_rating": 4}, -1.0),
        ({"score_chosen": 8.5}, None),
        ({"margin": "much"}, None),
        ({}, None),
    ],
)
def test_margins_are_those_that_the_file_gives(tmp_path: Path, columns: dict[str, Any], margin: float | None) -> None:
    row = {"prompt": "Why?", "chosen": "yes", "rejected": "no", "probability": 0.5, **columns}
    (pair,) = file_pairs(rows_file(tmp_path, row))
    assert (pair.margin, pair.probability) == (margin, 0.5)


def test_what_cannot_be_used_is_there_with_its_reason(tmp_path: Path) -> None:
    rows = [
        {"chosen": "\n\nHuman: A\n\nAssistant: x", "rejected": "\n\nHuman: B\n\nAssistant: y"},
        {"prompt": "A", "chosen": "", "rejected": "y"},
        {"prompt": "A", "chosen": "the  same\n", "rejected": "the same"},
        {"prompt": "A", "chosen": [{"role": "user", "content": "x"}], "rejected": "y"},
    ]
    differ, empty, same, no_answer = file_pairs(rows_file(tmp_path, *rows))
    assert differ.aside == "chosen and rejected answer different prompts: they part at turn 1"
    assert (empty.aside, empty.chosen) == ("the chosen answer is empty", "")
    assert same.aside == "its chosen and its rejected answer are the same text"
    assert no_answer.chosen is None and no_answer.aside is not None


@pytest.mark.parametrize(
    ("row", "lacks"),
    [
        (
            {"instruction": "Add.", "output": "3"},
            "it lacks the columns chosen and rejected and has instruction, output",
        ),
        ({"prompt": "Add.", "chosen": "3"}, "has chosen and lacks rejected; add it"),
    ],
)
def test_a_file_without_pairs_names_the_missing_columns(tmp_path: Path, row: dict[str, str], lacks: str) -> None:
    with pytest.raises(InputError, match=lacks):
        list(file_pairs(rows_file(tmp_path, row, row)))


def test_batches_hold_every_pair_once() -> None:
    pair = Pair("a", "user\nWhy?", "yes", "no", None, None, None)
    frames = list(batches(pair._replace(id=str(n)) for n in range(BATCH + 5)))
    assert [frame.height for frame in frames] == [BATCH, 5]
    assert frames[0].schema == PAIRS and frames[1]["id"][-1] == str(BATCH + 4)


def test_conversations_that_differ_only_in_who_speaks_are_two() -> None:
    answers = [Answer("a", scores={REWARD: 1.0}), Answer("b", scores={REWARD: 0.0})]
    prompts = [(Message("system", "A"), Message("user", "B")), (Message("user", "A"), Message("user", "B"))]
    one, other = record_pairs(Record.born(prompt, answers=answers) for prompt in prompts)
    assert one.prompt != other.prompt
