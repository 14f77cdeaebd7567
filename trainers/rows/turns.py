"""What every view shares: which answers count, what they score, and turns as TRL writes them.

An answer counts when it has text; its score is the finite number called "reward", higher is better.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tuneworks.factory.record import REWARD, Answer, Message, Record

Row = dict[str, Any]

TEXT = pl.String()
TURNS = pl.List(pl.Struct({"role": TEXT, "content": TEXT}))


@dataclass(frozen=True, slots=True)
class View:
    schema: pl.Schema
    rows: Callable[[Iterable[Record]], Iterator[Row]]
    why_not: Callable[[Record], str | None]
    """Why a record gave no row, in words that follow "because"; None when it gave one."""


def answers(record: Record) -> list[Answer]:
    return [answer for answer in record.answers if answer.text.strip()]


def scored(record: Record) -> list[Answer]:
    return [answer for answer in answers(record) if math.isfinite(reward(answer))]


def reward(answer: Answer, otherwise: float = math.nan) -> float:
    given = answer.scores.get(REWARD, otherwise)
    return otherwise if math.isnan(given) else given


def best(record: Record) -> Answer:
    """The answer of the highest reward; of equals, and where nothing is scored, the first."""
    return max(answers(record), key=lambda answer: reward(answer, otherwise=-math.inf))


def by_text(these: Iterable[Answer]) -> dict[str, Answer]:
    """Each text once, with the first answer that has it."""
    first: dict[str, Answer] = {}
    for answer in these:
        first.setdefault(folded(answer.text), answer)
    return first


def folded(text: str) -> str:
    return " ".join(text.split())


def prompt_reason(record: Record) -> str | None:
    last = record.prompt[-1] if record.prompt else None
    if last is None or last.role != "user" or not last.content.strip():
        return "its prompt does not end in a user message with text"
    return None


def messages(turns: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """The other way round of `turns`."""
    return tuple(Message(**turn) for turn in turns)


def turns(prompt: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in prompt]


def turn(answer: Answer) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer.text}]
