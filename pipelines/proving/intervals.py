"""How far a difference of held-out losses can be trusted: an interval from paired differences of rows and seeds.

Two things could have come out otherwise: which rows were held out, and which seed a training had. Rows are many, and
are resampled: whole groups of rows that give each other away are drawn with replacement. Seeds are few. Resampled,
three of them never go beyond themselves, and such an interval holds the truth three times in four at best; so the mean
over seeds is drawn around the seen one by Student's t with as many degrees of freedom as there are seeds less one. In
the same way resampled rows are spread a little wider where groups are few. Both are added up: normal rows or normal
seeds alone give the interval of Student's t.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES, LEVEL = 10_000, 0.95

AT_ONCE = 500
"""Resamples that are in memory at a time."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    mean: float
    low: float
    high: float


def interval(
    differences: ArrayLike, groups: Sequence[int], seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Of the mean of `differences`, of the shape (seeds, rows): one arm's loss less the other's, of the same row and
    seed. `groups` says of each row which group it is in. With one seed nothing of what seeds do is in it."""
    table = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng(seed)
    mean = float(table.mean())
    drawn = mean + by_rows(table.mean(axis=0), groups, rng, resamples) + by_seeds(table.mean(axis=1), rng, resamples)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high))


def by_rows(values: Numbers, groups: Sequence[int], rng: np.random.Generator, resamples: int) -> Numbers:
    """How far the mean of resampled groups is from that of all."""
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    rows = np.bincount(place).astype(np.float64)
    # Sums of deviations: a resample with more rows in it does not move the mean by itself.
    sums = np.bincount(place, weights=values - values.mean())
    count = len(rows)
    if count < 2:
        return np.zeros(resamples)
    parts = []
    for at in range(0, resamples, AT_ONCE):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(AT_ONCE, resamples - at))
        parts.append((times @ sums) / (times @ rows))
    few = np.sqrt(count / (count - 1)) * np.sqrt((count - 1) / rng.chisquare(count - 1, resamples))
    return np.asarray(np.concatenate(parts) * few)


def by_seeds(means: Numbers, rng: np.random.Generator, resamples: int) -> Numbers:
    """How far the mean over other seeds may be from that over these."""
    if len(means) < 2:
        return np.zeros(resamples)
    error = means.std(ddof=1) / np.sqrt(len(means))
    return np.asarray(error * rng.standard_t(len(means) - 1, resamples))
