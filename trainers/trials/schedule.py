"""From the tokens of all arms to what is done: one budget for every trial, its steps, and the names of the results."""

from collections.abc import Mapping

from tuneworks.factory.errors import InputError
from tuneworks.trainers.trials.encoding import Encodings
from tuneworks.trainers.trials.lessons import LONGEST, steps_for
from tuneworks.trainers.trials.plan import Schedule, TrialsPlan

FEWEST_HELD_OUT = 8
"""Held-out rows with which an interval can be told at all."""

FEWEST_TOKENS = 200
"""Tokens from which on a model learns something of its rows."""


def scheduled(plan: TrialsPlan, arms: Mapping[str, Encodings], held_out: Encodings) -> Schedule:
    """Raises InputError where there is too little to learn from, or to measure on."""
    if len(held_out.rows) < FEWEST_HELD_OUT:
        raise InputError(
            f"only {len(held_out.rows)} held-out rows have an answer within {LONGEST} tokens, and {FEWEST_HELD_OUT} "
            "are needed; build with a larger holdout, or filter by length"
        )
    given = {name: _given(found, plan.arms[name].draw) for name, found in arms.items()}
    smallest = min(given, key=lambda name: given[name])
    if not given[smallest]:
        raise InputError(
            f"no row of the arm {smallest} has an answer within {LONGEST} tokens; leave it out with --arms"
        )
    budget = plan.tokens or given[smallest]
    if budget < FEWEST_TOKENS:
        raise InputError(
            f"{budget} tokens ({_whose(plan, smallest)}) are too few to learn from; leave small arms out with --arms, "
            "or say how many every arm learns from, going through small ones again, such as --tokens 5000"
        )
    counts = {
        name: {"rows": len(e.rows), "tokens": e.answered, "cut": e.cut, "dropped": e.dropped}
        for name, e in arms.items()
    }
    measured = [
        {"at": at, "id": row.id, "tokens": row.answered} for at, row in zip(held_out.places, held_out.rows, strict=True)
    ]
    trials = {arm: [plan.key(arm, plan.seed + at, budget) for at in range(plan.seeds)] for arm in plan.arms}
    return Schedule(budget, steps_for(budget), smallest, counts, measured, plan.base_key(), trials)


def _given(found: Encodings, draw: int | None) -> int:
    """Tokens of its answers; where each trial draws some of the rows, their share of them, for none is known before."""
    if draw is None or draw >= len(found.rows):
        return found.answered
    return found.answered * draw // len(found.rows)


def _whose(plan: TrialsPlan, smallest: str) -> str:
    return "by --tokens" if plan.tokens else f"all that the arm {smallest} has"
