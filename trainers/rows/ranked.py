"""All scored answers of each record, best first: for losses over whole rankings.

Plackett-Luce as in PRO (2306.17492), RRHF (2304.05302), or every pair of two different rewards.
"""

import math
from collections.abc import Iterable, Iterator

import polars as pl

from tuneworks.factory.best_of_n import ROUND, SAMPLE
from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Record
from tuneworks.factory.steps import is_label
from tuneworks.trainers.rows.turns import TEXT, TURNS, Row, folded, prompt_reason, reward, scored, turn, turns

RANKED = pl.Schema(
    {
        **{"id": TEXT, "prompt": TURNS, "completions": pl.List(TURNS), "rewards": pl.List(pl.Float64())},
        # What else the answers score, by name; one value an answer, null where it has none.
        "scores": pl.List(pl.Struct({"name": TEXT, "values": pl.List(pl.Float64())})),
    }
)

MARKS = (REWARD, PAIR, PREFERRED, ROUND, SAMPLE)
"""Scores with a meaning of their own."""


def ranked_rows(records: Iterable[Record]) -> Iterator[Row]:
    """Each text once with its reward, the mean where it was scored several times; equal rewards stay a tie."""
    for record in records:
        if ranked_reason(record) is None:
            ranking = _ranking(record)
            yield {
                "id": record.id,
                "prompt": turns(record.prompt),
                "completions": [turn(same[0]) for same, _ in ranking],
                "rewards": [value for _, value in ranking],
                "scores": [{"name": name, "values": values} for name, values in _named([same for same, _ in ranking])],
            }


def ranked_reason(record: Record) -> str | None:
    if NO_PAIR in record.meta and not any(PAIR in answer.scores for answer in record.answers):
        return str(record.meta[NO_PAIR])
    found, ranking = scored(record), _ranking(record)
    if len(found) < 2:
        return f"{len(found)} of its answers carry a reward, and a ranking needs 2"
    if len(ranking) < 2:
        return f"its {len(found)} answers with a reward are the same text"
    if ranking[0][1] == ranking[-1][1]:
        return f"the rewards of its {len(ranking)} texts are all {ranking[0][1]:g}, a tie"
    return prompt_reason(record)


def _ranking(record: Record) -> list[tuple[list[Answer], float]]:
    """(answers of the same text, reward) by falling reward; what ties stays in the order of the record."""
    texts: dict[str, list[Answer]] = {}
    for answer in scored(record):
        texts.setdefault(folded(answer.text), []).append(answer)
    ranking = ((same, _mean([reward(answer) for answer in same])) for same in texts.values())
    return sorted(ranking, key=lambda pair: pair[1], reverse=True)


def _named(texts: list[list[Answer]]) -> Iterator[tuple[str, list[float | None]]]:
    """Each name that an answer's scores have, and of each text the mean of its finite scores of that name."""
    names = sorted({name for same in texts for answer in same for name in answer.scores})
    for name in names:
        if name not in MARKS and not is_label(name):
            given = [[a.scores[name] for a in same if math.isfinite(a.scores.get(name, math.nan))] for same in texts]
            yield name, [_mean(values) if values else None for values in given]


def _mean(rewards: list[float]) -> float:
    # One value many times is that value, which the mean may miss by a rounding.
    return rewards[0] if len(set(rewards)) == 1 else sum(value / len(rewards) for value in rewards)
