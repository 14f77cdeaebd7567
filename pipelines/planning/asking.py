"""What a step asks in all draws: calls, tokens, money, and how long that takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneworks.factory.self_instruct.growth import WINDOW
from tuneworks.pipelines.planning import chances
from tuneworks.pipelines.planning.chances import Draws
from tuneworks.pipelines.planning.durations import Busy, Load, Pace, lasting
from tuneworks.pipelines.planning.growing import Growth
from tuneworks.pipelines.planning.observed import Seen
from tuneworks.pipelines.planning.observing import Call

MEASURED = 0.5
"""Share of the calls that a model must have answered for a step's time to be known."""


@dataclass(frozen=True, slots=True)
class Asked:
    calls: Draws
    used: Draws
    """Draws x (prompt tokens, completion tokens, USD)."""
    seconds: Draws | None


def asked(
    rng: np.random.Generator,
    load: Load,
    pace: Pace,
    seen: Seen,
    units: Draws,
    whole: bool,
    grows: Growth | None = None,
) -> Asked:
    """`whole` says that the run's calls are those of the pilot, every one."""
    draws, pilot = len(units), np.array([_used(call) for call in seen.calls]).reshape(-1, 3)
    if whole:
        used = np.tile(pilot.sum(axis=0), (draws, 1))
        return Asked(np.full(draws, float(len(pilot))), used, np.full(draws, seen.seconds) if _timed(seen) else None)
    unit = chances.many(rng, len(seen.unit), max(seen.units, 1), units)
    calls = unit + len(seen.fixed)
    used = _using(rng, seen.unit, seen.units, unit) + np.array([_used(c) for c in seen.fixed]).reshape(-1, 3).sum(
        axis=0
    )
    if grows is not None:
        calls = calls + grows.calls
        used = used + _using(rng, seen.growth, len(seen.growth), grows.calls)
    if not _timed(seen):
        return Asked(calls, used, None)
    seconds = _seconds(rng, load, pace.slots, seen, units, unit, grows)
    return Asked(calls, used, np.maximum(seconds, pace.least(calls, used[:, 0] + used[:, 1])))


def _used(call: Call) -> tuple[float, float, float]:
    return float(call.prompt_tokens), float(call.completion_tokens), call.usd


def _using(rng: np.random.Generator, calls: Sequence[Call], units: int, wanted: Draws) -> Draws:
    if not calls:
        return np.zeros((len(wanted), 3))
    values = np.array([_used(call) for call in calls])
    # Calls about one record have its text in common: they tell no more than one.
    each = chances.means(rng, values, min(len(calls), max(units, 1)), len(wanted))
    return np.asarray(each * wanted[:, None])


def _timed(seen: Seen) -> bool:
    return sum(call.asked for call in seen.calls) >= MEASURED * len(seen.calls)


def _seconds(
    rng: np.random.Generator,
    load: Load,
    slots: float,
    seen: Seen,
    units: Draws,
    unit: Draws,
    grows: Growth | None,
) -> Draws:
    """Growth, what is asked once, and what is asked about each record come one after the other."""
    phases = np.zeros(len(units))
    rest = [call.began for call in (*seen.fixed, *seen.unit)]
    growing = Busy.of(seen.growth, min(rest, default=None))
    if growing is not None and grows is not None:
        share = _share(seen.growth)
        most = growing.seconds / share * grows.calls / len(seen.growth)
        least = np.maximum(grows.seconds, grows.calls * growing.latencies.mean() / min(slots, WINDOW))
        phases = phases + load.between(least, most)
    fixed = Busy.of(seen.fixed, min((call.began for call in seen.unit), default=None))
    phases = phases + (fixed.seconds if fixed else 0.0)
    each = Busy.of(seen.unit)
    if each is not None:
        jobs = np.minimum(units, seen.room)
        places = np.minimum(each.most * jobs / max(min(seen.units, seen.room), 1), slots)
        phases = phases + lasting(each, _share(seen.unit), unit, np.maximum(places, 1.0), load, rng)
    known = sum(busy.seconds for busy in (growing, fixed, each) if busy is not None)
    return phases + max(seen.seconds - known, 0.0)


def _share(calls: Sequence[Call]) -> float:
    return sum(call.asked for call in calls) / max(len(calls), 1)
