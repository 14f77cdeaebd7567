"""All scored answers of each record, best first: for losses over whole rankings.

Plackett-Luce as in PRO (2306.17492), RRHF (2304.05302), or every pair of two different rewards.
"""

from collections.abc import Iterable, Iterator

import polars as pl

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, Answer, Record
from tuneworks.trainers.rows.turns import TEXT, TURNS, Row, folded, prompt_reason, reward, scored, turn, turns

RANKED = pl.Schema({"id": TEXT, "prompt": TURNS, "completions": pl.List(TURNS), "rewards": pl.List(pl.Float64())})


def ranked_rows(records: Iterable[Record]) -> Iterator[Row]:
    """Each text once with its reward, the mean where it was scored several times; equal rewards stay a tie."""
    for record in records:
        if ranked_reason(record) is None:
            ranking = _ranking(record)
            yield {
                "id": record.id,
                "prompt": turns(record.prompt),
                "completions": [turn(answer) for answer, _ in ranking],
                "rewards": [value for _, value in ranking],
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


def _ranking(record: Record) -> list[tuple[Answer, float]]:
    """(answer, reward) by falling reward; answers that tie stay in the order of the record."""
    texts: dict[str, list[Answer]] = {}
    for answer in scored(record):
        texts.setdefault(folded(answer.text), []).append(answer)
    return sorted(((same[0], _mean(same)) for same in texts.values()), key=lambda pair: pair[1], reverse=True)


def _mean(same: list[Answer]) -> float:
    rewards = [reward(answer) for answer in same]
    # One value many times is that value, which the mean may miss by a rounding.
    return rewards[0] if len(set(rewards)) == 1 else sum(value / len(rewards) for value in rewards)
