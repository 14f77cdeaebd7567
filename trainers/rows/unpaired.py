"""Answers one by one, each labelled good or bad: TRL's format for KTO (2402.01306) and BCO (2404.04656).

KTO estimates a KL term from answers to other prompts. TRL and LLaMA-Factory take these from the neighbouring rows of
the data set, in its order and without shuffling it, so the rows of a record are set far apart, and good and bad
alternate: rows in the order of the records would be measured against answers to their own prompt.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest

import polars as pl

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, Answer, Record
from tuneworks.trainers.rows.quality import apart, sides, sides_reason
from tuneworks.trainers.rows.sft import SFT
from tuneworks.trainers.rows.turns import Row, answers, prompt_reason, turn, turns

UNPAIRED = pl.Schema({**SFT, "label": pl.Boolean()})


def unpaired_rows(records: Iterable[Record]) -> Iterator[Row]:
    """By the marks of a picked pair or of a file's labels, which may leave one side empty; where nothing is marked,
    answers above and below the record's mean reward. Each text once, none with both labels."""
    told = [record for record in records if unpaired_reason(record) is None]
    placed: list[tuple[float, Row]] = []
    for at, record in enumerate(told):
        rows = _rows(record, bad_first=at % 2 == 1)
        # A record's rows are spread evenly over the whole, each record's from another start.
        placed += [((turn_at + at / len(told)) / len(rows), row) for turn_at, row in enumerate(rows)]
    placed.sort(key=lambda place: place[0])
    yield from (row for _, row in placed)


def _rows(record: Record, bad_first: bool) -> list[Row]:
    good, bad = _marked(record) if _is_marked(record) else sides(record)
    lines = [[_row(record, answer, True) for answer in good], [_row(record, answer, False) for answer in bad]]
    alternating = chain.from_iterable(zip_longest(*(reversed(lines) if bad_first else lines)))
    return [row for row in alternating if row is not None]


def _row(record: Record, answer: Answer, label: bool) -> Row:
    return {"id": record.id, "prompt": turns(record.prompt), "completion": turn(answer), "label": label}


def unpaired_reason(record: Record) -> str | None:
    if not _is_marked(record):
        # Who found no preference in the answers found no good and bad ones, either.
        reason = str(record.meta[NO_PAIR]) if NO_PAIR in record.meta else sides_reason(record)
        return reason or prompt_reason(record)
    if not any(_marked(record)):
        return "no text of its marked answers is marked as good alone or as bad alone"
    return prompt_reason(record)


def _is_marked(record: Record) -> bool:
    return any(PAIR in answer.scores for answer in record.answers)


def _marked(record: Record) -> tuple[list[Answer], list[Answer]]:
    found = answers(record)
    return apart((a for a in found if a.scores.get(PAIR) == 1), (a for a in found if a.scores.get(PAIR) == 0))
