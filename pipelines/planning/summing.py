"""From a forecast to a plan: the steps summed up draw by draw, and what a reader must know beside the numbers."""

from collections.abc import Iterator, Sequence

import numpy as np

from tuneworks.pipelines.planning.chances import Draws
from tuneworks.pipelines.planning.forecast import DRAWS, Played
from tuneworks.pipelines.planning.observed import Seen
from tuneworks.pipelines.planning.outcome import Expected, PilotCost, Plan, Range, StepPlan
from tuneworks.pipelines.recipe import Limits, Recipe

SURE = 0.95
"""How sure the upper bound is of a share of which nothing was seen."""


def summed(recipe: Recipe, cost: PilotCost, played: Sequence[Played]) -> Plan:
    calls, used, seconds, timed = np.zeros(DRAWS), np.zeros((DRAWS, 3)), np.zeros(DRAWS), True
    for one in played:
        if one.asked is not None:
            calls, used = calls + one.asked.calls, used + one.asked.used
        timed &= one.seconds is not None or not one.seen.taken
        seconds = seconds + (0.0 if one.seconds is None else one.seconds)
    total = Expected.of(calls, used, seconds if timed else None)
    notes = [*_unseen(played), *([] if timed else [UNTIMED]), *_stops(recipe.limits, used, seconds)]
    steps = tuple(_step(one) for one in played)
    return Plan(steps, total, Range.of(played[-1].flow.records), cost, tuple(notes))


UNTIMED = "How long it takes is not known: the journal already had most of the pilot's answers."


def _step(one: Played) -> StepPlan:
    asked = one.asked
    calls = asked.calls if asked else np.zeros(DRAWS)
    used = asked.used if asked else np.zeros((DRAWS, 3))
    return StepPlan(
        one.seen.title,
        Range.of(one.taken),
        Range.of(one.flow.records),
        Expected.of(calls, used, one.seconds),
        reached=one.seen.taken > 0,
        asks=bool(one.seen.calls),
    )


def _unseen(played: Sequence[Played]) -> Iterator[str]:
    for one in played:
        if one.seen.taken and not one.seen.kept:
            yield _emptied(one.seen)
    passed = [one.seen.title for one in played if not one.seen.taken]
    if passed:
        yield f"No record of the pilot came to {', '.join(passed)}: what is asked there is not in these figures."


def _emptied(seen: Seen) -> str:
    most = 1 - (1 - SURE) ** (1 / seen.taken)
    return f"{seen.title} kept none of {seen.taken:,} records in the pilot: it keeps at most {most:.1%}, by {SURE:.0%}."


def _stops(limits: Limits, used: Draws, seconds: Draws) -> Iterator[str]:
    """Which limit of the recipe would end the run before it is whole, and how likely."""
    spent = {
        f"{limits.tokens or 0:,} tokens": (limits.tokens, used[:, 0] + used[:, 1]),
        f"{limits.usd or 0:g} USD": (limits.usd, used[:, 2]),
        f"{limits.hours or 0:g} hours": (limits.hours, seconds / 3600),
    }
    for name, (limit, needed) in spent.items():
        stopped = 0.0 if limit is None else float((needed > limit).mean())
        if stopped >= 1 - SURE:
            yield f"The limit of {name} stops the run before it is whole in {stopped:.0%} of the cases."
