"""Pairs as one table: those the preference view gives, and those that were set aside, with the reason.

A row without `chosen` stands for a record that holds no two answers to compare; `aside` says why.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.files import rows_of
from tuneworks.factory.record import PAIR, REWARD, Answer, Message, Record, Rejected
from tuneworks.pipelines.sources.layouts import SIDES, Parsed, parse
from tuneworks.trainers.rows import preference_reason, preference_rows

PAIRS = pl.Schema(
    {
        "id": pl.String(),
        "prompt": pl.String(),  # the conversation before the answers as one text, white space folded
        "chosen": pl.String(),
        "rejected": pl.String(),
        "margin": pl.Float64(),  # null where nobody gave one, or it is no finite number
        "probability": pl.Float64(),  # that chosen is the better one
        "aside": pl.String(),  # why no pair is made of it; null where one is
    }
)

PAIR_LAYOUTS = frozenset({"preference", "implicit", "dialogue"})

SCORED = (("score_chosen", "score_rejected"), ("chosen_score", "rejected_score"), ("chosen_rating", "rejected_rating"))
"""Columns in which published preference sets keep the two scores."""

SAME_TEXT = "its chosen and its rejected answer are the same text"

BATCH = 10_000
"""Pairs that are Python objects at once."""


class Pair(NamedTuple):
    """A row of the table."""

    id: str
    prompt: str
    chosen: str | None
    rejected: str | None
    margin: float | None
    probability: float | None
    aside: str | None


def batches(pairs: Iterable[Pair]) -> Iterator[pl.DataFrame]:
    rows = iter(pairs)
    while batch := list(islice(rows, BATCH)):
        yield pl.DataFrame(batch, schema=PAIRS, orient="row")


def record_pairs(records: Iterable[Record]) -> Iterator[Pair]:
    """Each record as the preference view takes it; where it takes none, its two outermost answers, set aside."""
    for record in records:
        row = next(preference_rows([record]), None)
        if row is None:
            yield _refused(record, preference_reason(record))
        else:
            chosen, rejected = (str(row[side][0]["content"]) for side in SIDES)
            margin, probability = _finite(row["margin"]), _finite(row["probability"])
            yield Pair(record.id, conversation(record.prompt), chosen, rejected, margin, probability, None)


def rejected_pairs(rejected: Iterable[Rejected]) -> Iterator[Pair]:
    """The rows of a file that were read as pairs and cannot be used, with the reason."""
    for item in rejected:
        pair = _refused(item.record, item.reason)
        if pair.chosen is not None and item.record.meta.get("layout") in PAIR_LAYOUTS:
            yield pair


def file_pairs(path: Path) -> Iterator[Pair]:
    """Every pair of a preference file. Ids are the rows' numbers; margins are those the file gives, if it does."""
    any_pair, columns = False, dict[str, None]()
    for number, row in rows_of(path):
        for parsed in parse(row, f"row {number} of {path}"):
            held = row if isinstance(row, dict) else {}
            columns |= dict.fromkeys(str(name) for name, value in held.items() if value is not None)
            if parsed.layout in PAIR_LAYOUTS:
                any_pair = True
                yield _file_pair(f"row {number}", parsed, held)
    if not any_pair:
        raise InputError(_no_pairs(path, list(columns)))


def conversation(prompt: Sequence[Message]) -> str:
    """Folded texts have no line breaks, so that no two conversations look the same."""
    return "\n".join(f"{message.role}\n{' '.join(message.content.split())}" for message in prompt)


def _file_pair(name: str, parsed: Parsed, row: Mapping[str, Any]) -> Pair:
    """The margin is what the file says: the two rewards that its reader gives stand for the order alone."""
    prompt, given = conversation(parsed.prompt), (_margin_column(row), _finite(row.get("probability")))
    if len(parsed.answers) < len(SIDES):
        return Pair(name, prompt, None, None, *given, parsed.reason)
    chosen, rejected = (answer.text for answer in parsed.answers)
    same = SAME_TEXT if chosen.split() == rejected.split() else None
    return Pair(name, prompt, chosen, rejected, *given, parsed.reason or same)


def _margin_column(row: Mapping[str, Any]) -> float | None:
    if "margin" in row:
        return _finite(row["margin"])
    for names in SCORED:
        chosen, rejected = (_finite(row.get(name)) for name in names)
        if chosen is not None and rejected is not None:
            return chosen - rejected
    return None


def _refused(record: Record, reason: str | None) -> Pair:
    """The answers of the highest and the lowest mark, or reward where none is marked: of one mark the first two."""
    name = PAIR if any(PAIR in answer.scores for answer in record.answers) else REWARD
    scored = [answer for answer in record.answers if _finite(answer.scores.get(name)) is not None]
    ranked = sorted(scored, key=lambda answer: answer.scores[name], reverse=True)
    empty = Pair(record.id, conversation(record.prompt), None, None, None, None, reason)
    if len(ranked) < len(SIDES):
        return empty
    chosen, rejected = ranked[0], ranked[-1]
    return empty._replace(chosen=chosen.text, rejected=rejected.text, margin=_margin(chosen, rejected))


def _margin(chosen: Answer, rejected: Answer) -> float | None:
    rewards = _finite(chosen.scores.get(REWARD)), _finite(rejected.scores.get(REWARD))
    return rewards[0] - rewards[1] if rewards[0] is not None and rewards[1] is not None else None


def _finite(value: object) -> float | None:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    return number if math.isfinite(number) else None


def _no_pairs(path: Path, columns: Sequence[str]) -> str:
    missing = " and ".join(side for side in SIDES if side not in columns)
    held = ", ".join(columns) or "none"
    return f"the file {path} holds no pairs: it lacks the columns {missing} and has {held}; name a preference file"
