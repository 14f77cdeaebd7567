"""Differences of two models over the same items, with how far they can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tuneworks.pipelines.proving.intervals import LEVEL, RESAMPLES, Interval, interval

Better = Literal["lower", "higher", ""]
Verdict = Literal["better", "worse", "no difference told", ""]

FEWEST = 8
"""Items from which on a difference has an interval, and lengths are taken out of it."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One measure: a line in the table."""

    part: str
    """Lines of a part have one unit and are drawn on one scale."""
    name: str
    unit: Literal["nats", "share", "words", "reward"]
    model: float | None
    base: float | None
    """None where the measure is a difference by nature."""
    difference: Interval | None
    """Model less base; None where there is too little to compare."""
    items: int
    better: Better

    @property
    def verdict(self) -> Verdict:
        """Told only where the interval leaves 0 out, and only of what is better one way."""
        if self.difference is None or not self.better:
            return ""
        if self.difference.low <= 0 <= self.difference.high:
            return "no difference told"
        return "better" if (self.difference.low > 0) == (self.better == "higher") else "worse"


def paired(
    part: str,
    name: str,
    unit: Literal["nats", "share", "words", "reward"],
    pairs: Sequence[tuple[float, float]],
    better: Better,
) -> Line:
    """A line from (model's, base's) values of the same items; there is one at least."""
    table = np.asarray(pairs, dtype=np.float64)
    model, base = table.mean(axis=0)
    apart = differing(table[:, 0] - table[:, 1])
    return Line(part, name, unit, float(model), float(base), apart, len(pairs), better)


def differing(differences: Numbers | Sequence[float]) -> Interval | None:
    """The mean with its interval over items; None of a few, by which nothing can be told."""
    found = np.asarray(differences, dtype=np.float64)
    return interval(found[None, :], range(len(found))) if len(found) >= FEWEST else None


def at_equal_length(rewards: Sequence[float], lengths: Sequence[float], seed: int = 0) -> Interval | None:
    """What is left of differences in reward where the answers are equally long.

    The differences are fitted by a line in the differences of length (least squares), and the line is read at 0. Pairs
    are resampled. None where there are few pairs, or all differ in length alike.
    """
    ys, xs = np.asarray(rewards, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    if len(ys) < FEWEST or np.ptp(xs) == 0:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(ys), (RESAMPLES, len(ys)))
    low, high = np.quantile(_at_zero(xs[drawn], ys[drawn]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(_at_zero(xs[None], ys[None])[0]), float(low), float(high))


def _at_zero(xs: Numbers, ys: Numbers) -> Numbers:
    """Of each row the least-squares line at x = 0; a row without spread in x gives its mean of y."""
    x, y = xs.mean(axis=1), ys.mean(axis=1)
    spread = ((xs - x[:, None]) ** 2).sum(axis=1)
    slope = ((xs - x[:, None]) * (ys - y[:, None])).sum(axis=1) / np.where(spread > 0, spread, 1.0)
    return np.asarray(y - slope * x)
