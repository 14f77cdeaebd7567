"""Exact duplicates: what makes two prompts the same, and that exactly one of each stays."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.exact_duplicates import ExactDuplicates, plain


def reasons(filter_: ExactDuplicates, *records: Record) -> list[str | None]:
    return filter_.reject(filter_.measure(to_table(records))).to_list()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Name a city.", "name  a\ncity"),
        ("Name a city", " Name a city!? "),
        ("ＡＢＣ１", "abc1"),
        ("cafe\u0301", "CAFÉ"),
        ("Straße", "STRASSE"),
        ("写一首诗。", "写一首诗"),
        ("你好，世界！", "你好,世界"),
    ],
)
def test_white_space_case_form_and_closing_marks_do_not_count(one: str, other: str) -> None:
    first = Record.born(one)
    assert reasons(ExactDuplicates(), first, Record.born(other)) == [
        None,
        f"the same prompt as the kept record {first.id}",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is C?", "What is C#?"),
        ("...", "!!!"),
        ("a b", "ab"),
        ("2+2", "2-2"),
        ("résumé", "resume"),
        ("", " ."),
    ],
)
def test_other_texts_are_other_texts(one: str, other: str) -> None:
    assert reasons(ExactDuplicates(), Record.born(one), Record.born(other)) == [None, None]


def test_all_messages_count_with_their_roles() -> None:
    talks = [
        [Message("user", "Go on.")],
        [Message("user", "Tell a joke"), Message("assistant", "Why?"), Message("user", "Go on.")],
        [Message("user", "Tell a joke"), Message("assistant", "Who?"), Message("user", "Go on.")],
        [Message("system", "Go on.")],
        [],
    ]
    assert reasons(ExactDuplicates(), *map(Record.born, talks)) == [None] * 5


def test_prompt_and_answer() -> None:
    records = [
        Record.born("Name a city", answers=[Answer("Oslo")], source="a"),
        Record.born("Name a city", answers=[Answer("Lima")]),
        Record.born("Name a city", answers=[Answer("Lima"), Answer("oslo.", scores={"reward": 1.0})]),
        Record.born("Name a city"),
        Record.born("Name a city", source="b"),
        Record.born("Name a city", answers=[Answer("")]),
    ]
    both = ExactDuplicates(on="prompt_and_answer")
    assert reasons(both, *records) == [
        None,
        None,
        f"the same prompt and answer as the kept record {records[0].id}",
        None,
        f"the same prompt and answer as the kept record {records[3].id}",
        None,
    ]
    assert reasons(ExactDuplicates(), *records).count(None) == 1


@given(st.lists(st.text(st.sampled_from("aAbＢ .!"), max_size=4), max_size=12), st.integers(1, 5))
def test_one_of_each_stays_the_first_whatever_the_batch(prompts: list[str], batch: int) -> None:
    filter_ = ExactDuplicates()
    table = to_table(Record.born(p, source=str(i)) for i, p in enumerate(prompts))
    rejected = filter_.reject(filter_.measure(table)).to_list()
    kept = [p for p, reason in zip(prompts, rejected, strict=True) if reason is None]
    assert [plain(p) for p in kept] == list(dict.fromkeys(plain(p) for p in prompts))
    parts = [filter_.measure(table[i : i + batch]) for i in range(0, table.height, batch)]
    assert filter_.reject(pl.concat([filter_.measure(table[:0]), *parts])).to_list() == rejected


def test_measures_survive_parquet(tmp_path: Path) -> None:
    filter_ = ExactDuplicates()
    measures = filter_.measure(to_table([Record.born("a"), Record.born("A"), Record.born("b")]))
    measures.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert filter_.reject(stored).to_list() == filter_.reject(measures).to_list()
    assert filter_.reject(stored).null_count() == 2


@pytest.mark.parametrize("on", ["prompt", "prompt_and_answer"])
def test_empty_null_and_huge_tables(on: str) -> None:
    filter_ = ExactDuplicates.model_validate({"on": on})
    empty = to_table([])
    assert filter_.reject(filter_.measure(empty)).to_list() == []
    table = to_table([Record.born("a", answers=[Answer("b" * 1_000_000)])])
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("answers", "prompt")}
    assert filter_.reject(filter_.measure(table)).to_list() == [None]
    assert filter_.reject(filter_.measure(table.with_columns(**nulls))).to_list() == [None]
