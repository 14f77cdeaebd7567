"""The six operators of Evol-Instruct, which of them a round draws, and when one is retired."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Record, Rejected

Operator = Literal["constraints", "deepen", "concretise", "reasoning", "complicate_input", "breadth"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
"""Five in depth, and the last in breadth."""

UNIFORM: Mapping[Operator, float] = dict.fromkeys(OPERATORS, 1.0)

ENOUGH_TRIES = 20
"""Tries after which an operator is judged by how many of them survived."""


def draw(weights: Mapping[Operator, float], dice: Dice, record: Record, round_: int) -> Operator:
    rng = dice.random("operator", record.id, round_)
    return rng.choices(list(weights), list(weights.values()))[0]


def survival(items: Iterable[Record | Rejected]) -> dict[Operator, tuple[int, int]]:
    """operator -> (evolutions that stayed, tries), read off what a stage yielded."""
    stayed: Counter[str] = Counter()
    tries: Counter[str] = Counter()
    for item in items:
        if isinstance(item, Rejected) and item.part != "reply":
            continue
        record = item if isinstance(item, Record) else item.record
        operator = str(record.meta.get("operator"))
        tries[operator] += 1
        stayed[operator] += isinstance(item, Record)
    return {operator: (stayed[operator], tries[operator]) for operator in OPERATORS if tries[operator]}


def standing(
    weights: Mapping[Operator, float], survived: Mapping[Operator, tuple[int, int]], retire_below: float
) -> Mapping[Operator, float]:
    """The weights without the operators that too seldom survive; the best of them stays if none else would."""

    def share(operator: Operator) -> float:
        stayed, tries = survived.get(operator, (0, 0))
        return stayed / tries if tries >= ENOUGH_TRIES else 1.0

    left = {operator: weight for operator, weight in weights.items() if share(operator) >= retire_below}
    if any(left.values()):
        return left
    best = max((operator for operator, weight in weights.items() if weight), key=share)
    return {best: weights[best]}
