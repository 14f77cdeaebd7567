"""The best answer of each record, to be imitated."""

from collections.abc import Iterable, Iterator

import polars as pl

from tuneworks.factory.record import PAIR, Record
from tuneworks.trainers.rows.turns import TEXT, TURNS, Row, answers, best, prompt_reason, turn, turns

SFT = pl.Schema({"id": TEXT, "prompt": TURNS, "completion": TURNS})


def sft_rows(records: Iterable[Record]) -> Iterator[Row]:
    """The best answer of each record; of equals, and where nothing is scored, the first."""
    for record in records:
        if sft_reason(record) is None:
            yield {"id": record.id, "prompt": turns(record.prompt), "completion": turn(best(record))}


def sft_reason(record: Record) -> str | None:
    if not answers(record):
        return "it has no answer with text"
    if best(record).scores.get(PAIR) == 0.0:
        return "its best answer is marked as a bad one"
    return prompt_reason(record)
