"""Answers step by step, each step with its label: TRL's former format for process rewards, with numbers as labels."""

from collections.abc import Iterable, Iterator

import polars as pl

from tuneworks.factory.record import Answer, Record
from tuneworks.factory.steps import is_label, labels_of, steps_of
from tuneworks.trainers.rows.turns import TEXT, TURNS, Row, prompt_reason, turns

STEPS = pl.Schema({"id": TEXT, "prompt": TURNS, "completions": pl.List(TEXT), "labels": pl.List(pl.Float64())})
"""Labels: 1 right, 0.5 neutral, 0 wrong, null for a step that was not judged."""


def steps_rows(records: Iterable[Record]) -> Iterator[Row]:
    """A row for each answer of which a step has a label."""
    for record in records:
        if steps_reason(record) is None:
            for answer in filter(_fits, record.answers):
                row = {"id": record.id, "prompt": turns(record.prompt)}
                yield {**row, "completions": steps_of(answer.text), "labels": labels_of(answer)}


def steps_reason(record: Record) -> str | None:
    reason = prompt_reason(record)
    if reason is not None or any(map(_fits, record.answers)):
        return reason
    if any(map(_judged, record.answers)):
        return "its answers have fewer steps than labels: their texts were changed after they were labelled"
    return "no step of its answers has a label"


def _judged(answer: Answer) -> bool:
    return any(map(is_label, answer.scores))


def _fits(answer: Answer) -> bool:
    return _judged(answer) and len(labels_of(answer)) == len(steps_of(answer.text))
