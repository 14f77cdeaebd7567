"""Records, their ids, and the way to tables and back."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.record import (
    REJECTED_SCHEMA,
    SCHEMA,
    Answer,
    Fact,
    Message,
    Record,
    Rejected,
    best_answer,
    fingerprint,
    from_table,
    to_rejected_table,
    to_table,
)

texts = st.text(max_size=12)
numbers = st.floats(allow_nan=False)
facts = st.one_of(texts, st.integers(-(2**60), 2**60), numbers, st.booleans())
messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts)
answers = st.builds(Answer, texts, texts, st.dictionaries(texts, numbers, max_size=3))
records = st.builds(
    Record.born,
    st.lists(messages, max_size=3),
    answers=st.lists(answers, max_size=3),
    source=texts,
    parents=st.lists(texts, max_size=3),
    meta=st.dictionaries(texts, facts, max_size=3),
)


def kinds(record: Record) -> dict[str, type]:
    return {name: type(value) for name, value in record.meta.items()}


@given(st.lists(records, max_size=4))
def test_tables_give_back_what_they_took(made: list[Record]) -> None:
    table = to_table(made)
    back = from_table(table)
    assert table.schema == SCHEMA
    assert back == made
    assert [kinds(r) for r in back] == [kinds(r) for r in made]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_parquet_gives_back_what_it_took(count: int, tmp_path: Path) -> None:
    scored = Answer("Carp\nor trout", by="me", scores={"reward": 0.1, "length": 3.0})
    meta: dict[str, Fact] = {"yes": True, "one": 1, "whole": 1.0, "text": "1", "none": ""}
    made = [Record.born(f"{n}. 鱼?", answers=[scored, Answer("")], meta=meta) for n in range(count)]
    to_table(made).write_parquet(tmp_path / "records.parquet")
    table = pl.read_parquet(tmp_path / "records.parquet")
    assert table.schema == SCHEMA
    assert from_table(table) == made
    assert all(kinds(r) == {n: type(v) for n, v in meta.items()} for r in from_table(table))


def test_nothing_is_a_table_too() -> None:
    assert to_table([]).schema == SCHEMA
    assert to_rejected_table([]).schema == REJECTED_SCHEMA


def test_rejected_records_carry_where_and_why() -> None:
    made = Record.born("A fish?", answers=[Answer("Stone", by="me")])
    table = to_rejected_table([Rejected(made, "length", "too short"), Rejected(made, "answer", "loops", "answer")])
    assert table.schema == REJECTED_SCHEMA
    assert table.select("stage", "part", "reason").rows() == [
        ("length", "record", "too short"),
        ("answer", "answer", "loops"),
    ]
    assert from_table(table) == [made, made]


def test_ids_never_change() -> None:
    """Runs on disk hold them."""
    assert Record.born("Name a fish.").id == "05f17fdec8471d8c"
    assert fingerprint({"b": 1, "a": ["é", None]}) == "4abb286770c83805"


def test_ids_stand_for_the_content() -> None:
    one = Record.born("A fish?", answers=[Answer("Carp", "me", {"reward": 1.0})], source="s", meta={"n": 1})
    others = [
        Record.born("A bird?", answers=one.answers, source="s", meta={"n": 1}),
        Record.born([Message("system", "A fish?")], answers=one.answers, source="s", meta={"n": 1}),
        Record.born("A fish?", source="s", meta={"n": 1}),
        Record.born("A fish?", answers=[Answer("Carp", "you", {"reward": 1.0})], source="s", meta={"n": 1}),
        Record.born("A fish?", answers=[Answer("Carp", "me", {"reward": 2.0})], source="s", meta={"n": 1}),
        Record.born("A fish?", answers=one.answers, source="t", meta={"n": 1}),
        Record.born("A fish?", answers=one.answers, source="s", meta={"n": 2}),
        Record.born("A fish?", answers=one.answers, source="s", meta={"n": 1}, parents=["x"]),
    ]
    again = Record.born([Message("user", "A fish?")], answers=one.answers, source="s", meta={"n": 1})
    assert again == one
    assert len({r.id for r in [one, *others]}) == 1 + len(others)


@given(records)
def test_an_id_stays_when_answers_are_added(made: Record) -> None:
    more = made.with_answers([*made.answers, Answer("another")]).with_meta(round=2)
    assert more.id == made.id
    assert more.answers[:-1] == made.answers
    assert more.meta == {**made.meta, "round": 2}


def test_the_prompt_is_the_last_thing_the_user_said() -> None:
    talk = [
        Message("user", "A fish?"),
        Message("assistant", "Carp."),
        Message("user", "And?"),
        Message("assistant", ""),
    ]
    assert Record.born(talk).prompt_text == "And?"
    assert Record.born([Message("system", "Be short.")]).prompt_text == ""


def test_the_best_answer_has_the_highest_reward() -> None:
    def best(*rewards: float | None) -> str | None:
        made = [Answer(str(n), scores={} if r is None else {"reward": r}) for n, r in enumerate(rewards)]
        answer = best_answer(Record.born("A fish?", answers=made))
        return None if answer is None else answer.text

    assert best() is None
    assert best(None, None) == "0"
    assert best(0.1, 0.7, 0.7) == "1"
    assert best(None, math.nan, -5.0) == "2"
    assert best(-math.inf, -1.0) == "1"
