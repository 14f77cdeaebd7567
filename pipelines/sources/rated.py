"""Rows with several answers to a prompt and what each scores: those of the configuration `ranked`, or one's own."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuneworks.factory.errors import InputError
from tuneworks.factory.form import whole_characters
from tuneworks.factory.record import REWARD, Answer
from tuneworks.pipelines.sources.stepwise import Judged
from tuneworks.pipelines.sources.turns import messages


def is_rated(row: Mapping[str, Any]) -> bool:
    return "completions" in row and "rewards" in row


def rated(row: Mapping[str, Any], where: str) -> Judged:
    """`scores` are {name: [number, ...]}, or [{name: ..., values: [number, ...]}]."""
    completions = row["completions"]
    if not isinstance(completions, list):
        raise InputError(f"the completions of {where} are no list; write one text, or one list of messages, for each")
    texts = [_text(answer, f"completions of {where}") for answer in completions]
    named = {**_named(row.get("scores") or {}, where), REWARD: row["rewards"]}
    reason = next((said for name, values in named.items() if (said := _why_not(name, values, len(texts)))), None)
    if reason is not None:
        return Judged([Answer(text, by="file") for text in texts], reason)
    return Judged([Answer(text, by="file", scores=_of(named, at)) for at, text in enumerate(texts)])


def _text(answer: object, where: str) -> str:
    if isinstance(answer, str):
        return whole_characters(answer).strip()
    turns = messages(answer, where)
    if len(turns) != 1 or turns[0].role != "assistant":
        raise InputError(f"one of the {where} is not one turn of the assistant; write a text")
    return turns[0].content.strip()


def _named(scores: object, where: str) -> dict[str, Any]:
    if isinstance(scores, list) and all(isinstance(one, dict) and {"name", "values"} <= one.keys() for one in scores):
        return {str(one["name"]): one["values"] for one in scores}
    if isinstance(scores, dict):
        return {str(name): values for name, values in scores.items() if values is not None}
    raise InputError(f"the scores of {where} have no names; write {{name: [a number for each of the completions]}}")


def _why_not(name: str, values: object, answers: int) -> str | None:
    what = "rewards" if name == REWARD else f"scores {name!r}"
    if not isinstance(values, list) or len(values) != answers:
        return f"its {what} are not one for each of its {answers} completions"
    odd = next((value for value in values if not _is_score(value)), None)
    return None if odd is None else f"one of its {what} is {odd!r}, which is no number"


def _of(named: Mapping[str, Sequence[float | None]], at: int) -> dict[str, float]:
    return {name: float(value) for name, values in named.items() if (value := values[at]) is not None}


def _is_score(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and math.isfinite(value))
