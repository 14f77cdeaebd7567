"""Prompts alone, for methods that write their own answers while they train: GRPO (2402.03300), RLOO (2402.14740)."""

from collections.abc import Iterable, Iterator

import polars as pl

from tuneworks.factory.record import PAIR, Record
from tuneworks.trainers.rows.turns import TEXT, TURNS, Row, answers, best, prompt_reason, turns

PROMPTS = pl.Schema({"id": TEXT, "prompt": TURNS, "reference": TEXT})
"""`reference` is what a reward that can be checked compares with: TRL hands columns beside the prompt to rewards."""


def prompts_rows(records: Iterable[Record]) -> Iterator[Row]:
    """Every record that asks something, answered or not; `reference` is its best answer unless that is marked bad."""
    for record in records:
        if prompt_reason(record) is None:
            yield {"id": record.id, "prompt": turns(record.prompt), "reference": _reference(record)}


def prompts_reason(record: Record) -> str | None:
    return prompt_reason(record)


def _reference(record: Record) -> str | None:
    found = best(record) if answers(record) else None
    return None if found is None or found.scores.get(PAIR) == 0.0 else found.text
