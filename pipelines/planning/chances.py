"""Draws from what the pilot leaves uncertain. Each function gives one number for each draw of the forecast.

Shares have Beta posteriors and rates Gamma posteriors, both with a neutral prior; what the run then does is drawn on
top, so that a short run is as uncertain as it is.
"""

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]

PRIOR = 1 / 3
"""A third of a case seen of each kind, which leaves the median of what is drawn at what was seen (Kerman 2011)."""

PASSED_PRIOR = 0.1
"""For pairs of records that an earlier step has compared already: they are hardly ever too close once more."""


def share(rng: np.random.Generator, hits: float, of: float, draws: int) -> Draws:
    return rng.beta(hits + PRIOR, max(of - hits, 0.0) + PRIOR, draws)


def kept(rng: np.random.Generator, hits: int, of: int, records: Draws) -> Draws:
    """How many of so many records stay, where `hits` stayed of those looked at."""
    return rng.binomial(records.astype(np.int64), share(rng, hits, of, len(records))).astype(np.float64)


def many(rng: np.random.Generator, count: int, of: int, units: Draws) -> Draws:
    """How many things come of so many units, where `count` came of `of`."""
    if not count or not of:
        return np.zeros(len(units))
    if count % of == 0:  # the same number of each: what may deviate is that a unit has fewer
        return np.round(units * (count // of) * (1 - share(rng, 0, of, len(units)) * rng.random(len(units))))
    rate = rng.gamma(count + PRIOR, 1 / of, len(units))
    return rng.poisson(rate * units).astype(np.float64)


def means(rng: np.random.Generator, values: NDArray[np.float64], effective: float, draws: int) -> NDArray[np.float64]:
    """The means of several quantities of a call, drawn together: draws x quantities. `effective` is for how many
    independent calls they count."""
    centre = values.mean(axis=0)
    if len(values) < 2 or effective < 2:
        return np.asarray(centre * np.exp(0.5 * rng.standard_normal((draws, 1))))
    scale = np.linalg.cholesky(np.cov(values, rowvar=False) / effective + 1e-18 * np.eye(values.shape[1]))
    spread = rng.standard_normal((draws, values.shape[1])) @ scale.T
    heavier = np.sqrt((effective - 1) / rng.chisquare(effective - 1, (draws, 1)))
    return np.asarray(np.where(centre > 0, np.maximum(centre + spread * heavier, 0.0), 0.0))


def concentrations(rng: np.random.Generator, draws: int) -> Draws:
    """How evenly collisions are spread: small where a few texts are repeated again and again (they are soon all there,
    and the rest is new), large where any text may meet any other."""
    return np.exp(rng.uniform(np.log(0.5), np.log(20), draws))


def pair_rate(rng: np.random.Generator, collided: int, pairs: float, draws: int, prior: float = PRIOR) -> Draws:
    """The chance that a record collides with a certain other one."""
    return np.maximum(rng.gamma(collided + prior, 1 / max(pairs, 1.0), draws), 1e-12)


def novel(rate: Draws, concentration: Draws, held: Draws) -> Draws:
    """The chance that a new text collides with none of those held."""
    return np.asarray((1 + rate * held / concentration) ** -concentration)


def apart(rng: np.random.Generator, records: Draws, collided: int, stayed: int, prior: float = PRIOR) -> Draws:
    """How many of so many records stay where each goes that collides with one that stays.

    The more there are the more collide. In most draws the chance to be new is `novel` of those held; the number held
    then solves dk/dn = novel(k). In a quarter of them duplicates come in twos, so that every pair costs one record.
    """
    draws = len(records)
    rate = pair_rate(rng, collided, (collided + stayed) * stayed / 2, draws, prior)
    spread = concentrations(rng, draws)
    power = 1 / (spread + 1)
    one_by_one = spread / rate * np.expm1(power * np.log1p(rate * records / (spread * power)))
    in_twos = records - np.minimum(rate * records, 1) * records / 2
    expected = np.where(rng.random(draws) < 0.25, in_twos, one_by_one)
    lost = rng.poisson(np.maximum(records - expected, 0.0))
    return np.asarray(np.clip(records - lost, np.minimum(records, 1), records))
