"""All scored answers of a record, best first."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, Answer, Record
from tuneworks.trainers.rows import RANKED, ranked_reason, ranked_rows


def record(*answers: tuple[str, float | None], **meta: str) -> Record:
    made = [Answer(text, "toy", {} if reward is None else {"reward": reward}) for text, reward in answers]
    return Record.born("Name a fish.", answers=made, meta=meta)


def ranking(made: Record) -> list[tuple[str, float]]:
    (row,) = ranked_rows([made])
    assert all([turn["role"] for turn in turns] == ["assistant"] for turns in row["completions"])
    return [(turns[0]["content"], value) for turns, value in zip(row["completions"], row["rewards"], strict=True)]


def test_the_best_comes_first_and_ties_keep_their_order() -> None:
    made = record(("eel", 0.5), ("trout", 0.9), ("stone", None), ("carp", 0.5), ("weed", -1.0))
    assert ranking(made) == [("trout", 0.9), ("eel", 0.5), ("carp", 0.5), ("weed", -1.0)]


def test_a_text_that_was_scored_twice_stands_once_with_its_mean() -> None:
    made = record(("an eel", 1.0), (" an\neel", 0.0), ("trout", 0.7), ("trout", 0.7))
    assert ranking(made) == [("trout", 0.7), ("an eel", 0.5)]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((("eel", 1.0), ("trout", math.nan)), "1 of its answers carry a reward, and a ranking needs 2"),
        ((("eel", 1.0), ("eel ", 0.0)), "its 2 answers with a reward are the same text"),
        ((("eel", 0.5), ("trout", 0.5), ("carp", 0.5)), "the rewards of its 3 texts are all 0.5, a tie"),
        ((("eel", 1.0), ("eel", 0.0), ("trout", 0.5)), "the rewards of its 2 texts are all 0.5, a tie"),
    ],
)
def test_no_ranking(answers: tuple[tuple[str, float], ...], reason: str) -> None:
    assert list(ranked_rows([record(*answers)])) == []
    assert ranked_reason(record(*answers)) == reason


def test_answers_that_were_found_to_be_no_preference_are_no_ranking() -> None:
    made = record(("eel", 0.5), ("carp", 0.4), **{NO_PAIR: "the margin of 0.1 is under 0.5"})
    assert list(ranked_rows([made])) == []
    assert ranked_reason(made) == "the margin of 0.1 is under 0.5"
    picked = made.with_answers([Answer("eel", scores={"reward": 0.5, PAIR: 1.0}), made.answers[1]])
    assert [text for text, _ in ranking(picked)] == ["eel", "carp"]


def test_rows_fit_their_schema() -> None:
    rows = list(ranked_rows([record(("trout", 1.0), ("eel", 0.5), ("stone", 0.0))]))
    table = pl.DataFrame(rows, schema=RANKED)
    assert table.rows(named=True) == rows


rewards = st.none() | st.floats(allow_nan=True, allow_infinity=True)
answers = st.lists(st.tuples(st.sampled_from(["a", "b", " a", "c d", ""]), rewards), max_size=6)


@given(answers)
def test_rewards_are_finite_and_fall_from_first_to_last(made: list[tuple[str, float | None]]) -> None:
    for row in ranked_rows([record(*made)]):
        assert all(map(math.isfinite, row["rewards"]))
        assert row["rewards"] == sorted(row["rewards"], reverse=True)
        assert row["rewards"][0] > row["rewards"][-1]
