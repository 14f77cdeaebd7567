"""Answers one by one, each labelled good or bad."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, Answer, Record
from tuneworks.pipelines.sources.layouts import parse
from tuneworks.trainers.rows import UNPAIRED, unpaired_reason, unpaired_rows


def record(*answers: tuple[str, dict[str, float]], prompt: str = "Name a fish.", **meta: str) -> Record:
    return Record.born(prompt, answers=[Answer(text, "toy", scores) for text, scores in answers], meta=meta)


def scored(*answers: tuple[str, float], prompt: str = "Name a fish.", **meta: str) -> Record:
    return record(*((text, {"reward": reward}) for text, reward in answers), prompt=prompt, **meta)


def labels(*records: Record) -> list[tuple[str, bool]]:
    return [(row["completion"][0]["content"], row["label"]) for row in unpaired_rows(records)]


def test_a_picked_pair_gives_a_good_and_a_bad_one_whatever_the_rewards_say() -> None:
    made = record(("trout", {"reward": 9.0}), ("eel", {"reward": 1.0, PAIR: 1.0}), ("carp", {"reward": 2.0, PAIR: 0.0}))
    assert labels(made) == [("eel", True), ("carp", False)]


@pytest.mark.parametrize(("tag", "label"), [(True, True), (False, False)])
def test_a_lone_answer_of_a_file_keeps_its_label(tag: bool, label: bool) -> None:
    (parsed,) = parse({"prompt": "Name a fish.", "completion": "eel", "label": tag}, "row 1")
    made = Record.born(parsed.prompt, answers=parsed.answers)
    assert labels(made) == [("eel", label)]


def test_without_marks_the_mean_reward_parts_good_from_bad() -> None:
    made = scored(("trout", 0.9), ("eel", 0.5), ("stone", 0.1))
    assert labels(made) == [("trout", True), ("stone", False)]


def test_what_is_called_good_and_bad_is_left_out() -> None:
    assert labels(scored(("eel", 1.0), ("eel\n", 0.0), ("trout", 1.0), ("stone", 0.0))) == [
        ("trout", True),
        ("stone", False),
    ]
    twice = record(("eel", {PAIR: 1.0}), ("eel ", {PAIR: 0.0}))
    assert labels(twice) == []
    assert unpaired_reason(twice) == "no text of its marked answers is marked as good alone or as bad alone"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (scored(("eel", 1.0)), "1 of its answers carry a reward, and telling good from bad needs 2"),
        (
            scored(("eel", 1.0), ("carp", 1.0)),
            "its 2 rewards do not set one text above their mean and another below",
        ),
        (record((" ", {PAIR: 1.0})), "no text of its marked answers is marked as good alone or as bad alone"),
        (scored(("eel", 0.5), ("carp", 0.4), **{NO_PAIR: "the margin is too small"}), "the margin is too small"),
        (scored(("eel", 0.5), ("carp", 0.4), prompt=" "), "its prompt does not end in a user message with text"),
    ],
)  # fmt: skip
def test_no_labels(made: Record, reason: str) -> None:
    assert labels(made) == []
    assert unpaired_reason(made) == reason


def kl_partners(rows: list[dict[str, Any]], batch: int) -> list[tuple[str, str]]:
    """(id, id of the answer it is measured against), as TRL's KTO takes them: the one before, within a batch."""
    pairs = []
    for start in range(0, len(rows), batch):
        ids = [row["id"] for row in rows[start : start + batch]]
        pairs += list(zip(ids, ids[-1:] + ids[:-1], strict=True))
    return pairs


def test_no_answer_stands_beside_another_to_its_own_prompt_and_labels_are_mixed() -> None:
    made = [scored(("trout", 1.0), ("stone", 0.0), prompt=f"A fish, number {n}?") for n in range(31)]
    made += [scored(("eel", 3.0), ("carp", 2.0), ("weed", -1.0), ("sand", -2.0), prompt="One more?")]
    rows = list(unpaired_rows(made))
    assert len(rows) == 66
    assert all(one != other for one, other in kl_partners(rows, 8))
    for start in range(0, 64, 8):
        assert 3 <= sum(row["label"] for row in rows[start : start + 8]) <= 5


@given(st.lists(st.lists(st.floats(-9, 9), max_size=5), max_size=6))
def test_every_labelled_answer_is_there_once_in_whatever_order(rewards: list[list[float]]) -> None:
    records = [
        scored(*((f"answer {n}", value) for n, value in enumerate(values)), prompt=f"Number {at}?")
        for at, values in enumerate(rewards)
    ]
    together = [(row["id"], row["completion"][0]["content"], row["label"]) for row in unpaired_rows(records)]
    alone = [(r.id, text, label) for r in records for text, label in labels(r)]
    assert sorted(together) == sorted(alone)


def test_rows_fit_their_schema() -> None:
    rows = list(unpaired_rows([scored(("trout", 1.0), ("stone", 0.0))]))
    assert pl.DataFrame(rows, schema=UNPAIRED).rows(named=True) == rows
