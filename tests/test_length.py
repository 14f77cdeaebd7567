"""The length filter: what a word is, in which script, and of which text."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.length import Length


def words(*prompts: str) -> list[int]:
    return Length().measure(to_table(Record.born(p) for p in prompts))["words"].to_list()


def reasons(length: Length, *records: Record) -> list[str | None]:
    return length.reject(length.measure(to_table(records))).to_list()


def test_a_word_is_a_run_of_anything_but_white_space() -> None:
    assert words("Name a city.", "  well-known \n\t x-ray ", "", "   ", "- one", "a\u00a0b\u3000c") == [
        3,
        2,
        0,
        0,
        2,
        3,
    ]


def test_characters_of_scripts_without_spaces_are_words() -> None:
    assert words("写一首诗。", "《红楼梦》好看吗？", "今天是2024年", "カードを見る") == [4, 6, 5, 6]
    assert words("用 Python 写", "세계 안녕", "ที่นี่") == [3, 2, 2]


@given(st.lists(st.sampled_from(["cat", "x1", "don't", "été", "мир"]), max_size=8))
def test_words_with_spaces_are_counted_as_python_splits_them(parts: list[str]) -> None:
    assert words(" ".join(parts)) == [len(parts)]


def test_the_limits_are_inclusive_and_the_reason_says_the_number() -> None:
    length = Length(min_words=2, max_words=3)
    records = [Record.born(p) for p in ("one", "one two", "one two three", "one two three four")]
    assert reasons(length, *records) == [
        "the word count of the prompt is 1, below 2",
        None,
        None,
        "the word count of the prompt is 4, above 3",
    ]


def test_the_last_user_message_counts() -> None:
    talk = [
        Message("system", "be kind"),
        Message("user", "a b c d"),
        Message("assistant", "e"),
        Message("user", "f"),
    ]
    assert reasons(Length(), Record.born(talk)) == ["the word count of the prompt is 1, below 3"]
    assert reasons(Length(), Record.born([Message("system", "a b c")])) == [
        "the word count of the prompt is 0, below 3"
    ]


def test_answers_are_judged_by_the_best_one() -> None:
    length = Length(min_answer_words=2, max_answer_words=3)
    weak, strong = Answer("a b c d", scores={"reward": 1.0}), Answer("a", scores={"reward": 2.0})
    assert reasons(
        length,
        Record.born("one two three", answers=[weak, strong]),
        Record.born("one two three", answers=[Answer("a b c d"), Answer("a")]),
        Record.born("one two three", answers=[Answer("a b")]),
        Record.born("one two three"),
    ) == [
        "the word count of the best answer is 1, below 2",
        "the word count of the best answer is 4, above 3",
        None,
        None,
    ]
    assert reasons(Length(min_answer_words=1), Record.born("one two three", answers=[Answer("")])) == [
        "the word count of the best answer is 0, below 1"
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"min_words": 5, "max_words": 4},
        {"min_answer_words": 5, "max_answer_words": 4},
        {"min_words": -1},
        {"max": 3},
    ],
)
def test_limits_that_cannot_be_met_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Length.model_validate(options)


def test_measures_survive_parquet_and_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    length = Length(max_words=5, min_answer_words=1)
    records = [Record.born(" ".join("x" * n), answers=[Answer("y")] * (n % 2)) for n in range(8)]
    table = to_table(records)
    whole = length.measure(table)
    whole.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert length.reject(stored).to_list() == length.reject(whole).to_list()
    assert whole.equals(pl.concat(length.measure(table[i : i + 3]) for i in range(0, 8, 3)))


def test_empty_and_null_tables() -> None:
    length = Length(min_answer_words=1)
    empty = to_table([])
    assert length.reject(length.measure(empty)).to_list() == []
    table = to_table([Record.born("one two three")]).with_columns(answers=pl.lit(None, dtype=empty.schema["answers"]))
    assert length.reject(length.measure(table)).to_list() == [None]
    nothing = table.with_columns(prompt=pl.lit(None, dtype=empty.schema["prompt"]))
    assert length.reject(length.measure(nothing)).to_list() == ["the word count of the prompt is 0, below 3"]
