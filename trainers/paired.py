"""How far the mean of paired differences can be trusted: percentiles of resampled means."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from tuneworks.factory.weights import Say

RESAMPLES, LEVEL = 10_000, 0.95


def interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """(mean, low, high): the pairs are drawn again with replacement, and 95% of the means lie between low and high."""
    found = np.asarray(differences, dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(found, (RESAMPLES, len(found))).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(found.mean()), float(low), float(high)


def told_rewards(
    before: Sequence[float | None], after: Sequence[float | None], seed: int, say: Say
) -> dict[str, Any] | None:
    """The rewards of answers to the same held-out prompts, before a training and after it, as what they tell."""
    pairs = [(was, now) for was, now in zip(before, after, strict=True) if was is not None and now is not None]
    if not pairs:
        say("no held-out prompt: whether the reward of answers rises is not measured; set holdout in the recipe")
        return None
    mean, low, high = interval([now - was for was, now in pairs], seed)
    was, now = fmean(was for was, _ in pairs), fmean(now for _, now in pairs)
    say(
        f"reward of answers to {len(pairs)} held-out prompts: {was:.3f} before training, {now:.3f} after "
        f"({mean:+.3f} [{low:+.3f}, {high:+.3f}], 95% of paired bootstraps)"
    )
    return {"prompts": len(pairs), "before": was, "after": now, "difference": mean, "low": low, "high": high}
