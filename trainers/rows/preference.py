"""A chosen and a rejected answer of each record."""

import math
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, PREFERRED, Answer, Record
from tuneworks.trainers.rows.turns import TEXT, TURNS, Row, answers, folded, prompt_reason, reward, scored, turn, turns

PREFERENCE = pl.Schema(
    {
        **{"id": TEXT, "prompt": TURNS, "chosen": TURNS, "rejected": TURNS},
        "margin": pl.Float64(),  # of the rewards; null where one of the pair has none
        "probability": pl.Float64(),  # that chosen is the better one; null where nobody said
    }
)


def preference_rows(records: Iterable[Record], min_margin: float = -math.inf) -> Iterator[Row]:
    """The pair that was picked, else the best answer against the worst; `margin` is the difference of rewards."""
    for record in records:
        pair = _pair(record, min_margin)
        if isinstance(pair, str) or prompt_reason(record) is not None:
            continue
        chosen, rejected = pair
        yield {
            "id": record.id,
            "prompt": turns(record.prompt),
            "chosen": turn(chosen),
            "rejected": turn(rejected),
            "margin": _margin(chosen, rejected),
            "probability": chosen.scores.get(PREFERRED),
        }


def preference_reason(record: Record, min_margin: float = -math.inf) -> str | None:
    pair = _pair(record, min_margin)
    return pair if isinstance(pair, str) else prompt_reason(record)


def _pair(record: Record, min_margin: float) -> tuple[Answer, Answer] | str:
    """(chosen, rejected), or why there is no pair."""
    picked = any(PAIR in answer.scores for answer in record.answers)
    if not picked and NO_PAIR in record.meta:
        return str(record.meta[NO_PAIR])
    pair = _picked(record) if picked else _ranked(record)
    if isinstance(pair, str):
        return pair
    chosen, rejected = pair
    if folded(chosen.text) == folded(rejected.text):
        return f"its {'chosen and its rejected' if picked else 'best and its worst'} answer are the same text"
    margin = _margin(chosen, rejected)
    if margin is not None and margin < min_margin:
        return f"the margin of {margin:.3g} is under {min_margin:g}"
    return pair


def _picked(record: Record) -> tuple[Answer, Answer] | str:
    """By the marks alone: who picked them had reasons, whatever the rewards say."""
    marked = [answer for answer in answers(record) if PAIR in answer.scores]
    chosen = [answer for answer in marked if answer.scores[PAIR] == 1]
    rejected = [answer for answer in marked if answer.scores[PAIR] == 0]
    if not chosen or not rejected:
        return f"{len(chosen)} chosen and {len(rejected)} rejected answers are left of its pair, which needs 1 of each"
    return chosen[0], rejected[0]


def _ranked(record: Record) -> tuple[Answer, Answer] | str:
    found = scored(record)
    if len(found) < 2:
        return f"{len(found)} of its answers carry a reward, and a pair needs 2"
    best, worst = _extremes(found)
    if not reward(best) - reward(worst) > 0:
        return f"its {len(found)} rewards are all {reward(best):g}, a tie"
    return best, worst


def _extremes(found: Sequence[Answer]) -> tuple[Answer, Answer]:
    return max(found, key=reward), min(found, key=reward)


def _margin(chosen: Answer, rejected: Answer) -> float | None:
    rewards = reward(chosen), reward(rejected)
    return rewards[0] - rewards[1] if all(map(math.isfinite, rewards)) else None
