"""How far the mean of paired differences can be trusted: percentiles of resampled means."""

from collections.abc import Sequence

import numpy as np

RESAMPLES, LEVEL = 10_000, 0.95


def interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """(mean, low, high): the pairs are drawn again with replacement, and 95% of the means lie between low and high."""
    found = np.asarray(differences, dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(found, (RESAMPLES, len(found))).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(found.mean()), float(low), float(high)
