"""How long a step takes, from how long it took in the pilot.

A pilot has fewer requests under way than the run will have, and cannot know what a server does with more. So there are
two bounds. At least, more requests wait for nothing but free places: a step takes as long as its slowest record, and
longer only where there are more than may be under way. At most, the server was busy in the pilot already, and a step
takes longer by as much as it has more calls. Where the pilot had all places of the engine filled the two are near each
other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneworks.factory.engine import EngineOptions
from tuneworks.pipelines.planning.chances import Draws
from tuneworks.pipelines.planning.observing import Call

CORNER = 0.5
"""How often each of the two bounds is just what happens, for each time that it is something between."""

NOISE = 0.12
"""How far two runs of the same work are apart, as a standard deviation of the logarithm."""


@dataclass(frozen=True, slots=True)
class Load:
    """How a server answers to more requests, the same for all steps of a run."""

    busy: Draws
    """0 where it answers as fast as a few, 1 where it was busy with the pilot's."""
    noise: Draws
    """How much slower the run is than the pilot for no reason that could be known."""

    @classmethod
    def drawn(cls, rng: np.random.Generator, draws: int) -> "Load":
        busy = np.clip(rng.uniform(-CORNER, 1 + CORNER, draws), 0.0, 1.0)
        return cls(busy, np.exp(NOISE * rng.standard_normal(draws)))

    def between(self, least: Draws, most: Draws) -> Draws:
        low = np.maximum(np.minimum(least, most), 1e-9)
        return np.asarray(low ** (1 - self.busy) * np.maximum(most, 1e-9) ** self.busy * self.noise)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an engine lets requests through, by its options: those under way at a time, and those of a minute."""

    slots: float = np.inf
    requests: float = np.inf
    tokens: float = np.inf

    @classmethod
    def of(cls, options: EngineOptions) -> "Pace":
        """Engines name these options alike; where one has none of them it holds nothing back."""

        def bound(*names: str) -> float:
            found = (getattr(options, name, None) for name in names)
            return float(next((value for value in found if isinstance(value, int)), np.inf))

        return cls(bound("in_flight", "batch"), bound("requests_per_minute"), bound("tokens_per_minute"))

    def least(self, calls: Draws, tokens: Draws) -> Draws:
        """Seconds that so many calls take in any case."""
        return np.asarray(60 * np.maximum(calls / self.requests, tokens / self.tokens))


@dataclass(frozen=True, slots=True)
class Busy:
    """Calls of one phase of a step, as the model answered them: replies out of the journal are not among them."""

    calls: int
    seconds: float
    """From the first request to the last reply."""
    latencies: Draws
    most: int
    """Most calls under way at a time."""

    @classmethod
    def of(cls, calls: Sequence[Call], until: float | None = None) -> "Busy | None":
        asked = [call for call in calls if call.asked]
        if not asked:
            return None
        began, ended = np.array([c.began for c in asked]), np.array([c.ended for c in asked])
        end = float(ended.max()) if until is None else until
        under_way = np.arange(1, len(asked) + 1) - np.searchsorted(np.sort(ended), np.sort(began), side="right")
        return cls(len(asked), max(end - float(began.min()), 1e-6), ended - began, int(under_way.max()))


def lasting(busy: Busy, share: float, calls: Draws, slots: float, load: Load, rng: np.random.Generator) -> Draws:
    """Seconds for so many calls, where at most `slots` are under way. `share` is how much of the pilot's calls a model
    answered; the others were known."""
    asked = busy.calls / share  # as if all had been
    pilot = busy.seconds / share
    waiting = np.maximum(calls - np.maximum(slots, busy.most), 0.0)
    least = pilot * _slowest(busy.latencies, calls, rng) + waiting * busy.latencies.mean() / slots
    # The end of a step, when fewer and fewer calls are under way, does not grow with it.
    tail = min(float(np.quantile(busy.latencies, 0.1)), pilot / 2) * rng.random(len(calls))
    most = tail + (pilot - tail) * calls / asked
    return load.between(np.minimum(least, most), most)


def _slowest(latencies: Draws, calls: Draws, rng: np.random.Generator) -> Draws:
    """By how much the slowest of more calls is slower, if latencies are bounded (not at all) or log-normal."""
    positive = np.log(np.maximum(latencies, 1e-6))
    ratio = np.maximum(calls / len(latencies), 1.0)
    further = np.sqrt(2 * np.log(len(latencies) * ratio + 1)) - np.sqrt(2 * np.log(len(latencies) + 1))
    return np.asarray(np.exp(float(positive.std()) * further * rng.random(len(calls))))


def measuring(seconds: float, rows: int, records: Draws, rng: np.random.Generator) -> Draws:
    """Seconds of a step that asks no model: some of what it took in the pilot is its start, the rest grows with the
    records."""
    start = rng.random(len(records))
    return np.asarray(seconds * (start + (1 - start) * records / max(rows, 1)))
