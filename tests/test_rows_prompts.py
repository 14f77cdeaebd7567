"""Prompts alone."""

import polars as pl

from tuneworks.factory.record import PAIR, Answer, Message, Record
from tuneworks.trainers.rows import PROMPTS, prompts_reason, prompts_rows

TALK = (Message("system", "Be short."), Message("user", "A fish?"), Message("assistant", "Carp."), Message("user", "?"))


def test_every_record_that_asks_gives_its_whole_prompt_answered_or_not() -> None:
    records = [Record.born(TALK), Record.born("Add 2 and 2.", answers=[Answer("4")]), Record.born(TALK[:3])]
    rows = list(prompts_rows(records))
    assert [row["id"] for row in rows] == [r.id for r in records[:2]]
    assert [turn["role"] for turn in rows[0]["prompt"]] == ["system", "user", "assistant", "user"]
    assert prompts_reason(records[2]) == "its prompt does not end in a user message with text"
    assert [prompts_reason(r) for r in records[:2]] == [None, None]


def test_the_reference_is_the_best_answer_and_none_that_is_marked_bad() -> None:
    best = Record.born("2 + 2?", answers=[Answer("5", scores={"reward": 0.0}), Answer("4", scores={"reward": 1.0})])
    bad = Record.born("2 + 2?", answers=[Answer("5", scores={"reward": 0.0, PAIR: 0.0})])
    none = Record.born("2 + 2?", answers=[Answer(" ")])
    assert [row["reference"] for row in prompts_rows([best, bad, none])] == ["4", None, None]


def test_rows_fit_their_schema() -> None:
    rows = list(prompts_rows([Record.born(TALK), Record.born("2 + 2?", answers=[Answer("4")])]))
    assert pl.DataFrame(rows, schema=PROMPTS).rows(named=True) == rows
