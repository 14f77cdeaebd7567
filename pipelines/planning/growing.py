"""How many calls a generator with a target makes: it asks on until so many tasks were let into its pool.

A candidate must pass the rules, and must not be too close to any task made before. So the more tasks there are, the
more candidates go, and in the end the search may stop short of its target.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from tuneworks.factory.self_instruct.growth import BARREN_CALLS, calls_for
from tuneworks.pipelines.planning.chances import Draws, concentrations, novel, pair_rate, share
from tuneworks.pipelines.planning.observed import Grown

POINTS = 200
"""Sizes of the pool at which the chances are worked out."""

REHEARSALS = 100
"""Growths that are played through call by call, up to so many tasks: what is asked at the end and not needed, and how
far calls wait for each other, does not depend on the target beyond."""
REHEARSED_TASKS = 400


@dataclass(frozen=True, slots=True)
class Growth:
    """For each draw: tasks made, replies read, calls asked, and seconds if no call slowed down another."""

    tasks: Draws
    calls: Draws
    seconds: Draws


def growth(rng: np.random.Generator, grown: Grown, latencies: Draws, target: int, draws: int) -> Growth:
    accepts = np.array(grown.accepts, dtype=np.float64)
    per_reply = max(grown.candidates / len(accepts), 1.0)
    passing = _passing(rng, grown, accepts, draws)
    pairs = (grown.tasks + grown.collided) * grown.tasks / 2
    rate, spread = pair_rate(rng, grown.collided, pairs, draws), concentrations(rng, draws)
    held = np.linspace(0, target, POINTS)
    chance = np.maximum(passing[:, None] * novel(rate[:, None], spread[:, None], held[None, :]), 1e-9)
    tasks = _end(rng, chance, held, per_reply, target)
    needed = np.concatenate([np.zeros((draws, 1)), np.cumsum(np.diff(held) / (per_reply * chance[:, 1:]), axis=1)], 1)
    read = np.array([np.interp(end, held, row) for end, row in zip(tasks, needed, strict=True)])
    varied = accepts.std() / max(accepts.mean(), 1e-9)
    read = np.maximum(read * (1 + varied * rng.standard_normal(draws) / np.sqrt(np.maximum(read, 1))), 1)
    read = np.where(tasks < target, read + BARREN_CALLS, read)
    more, slower = _rehearsed(rng, per_reply, passing, latencies, min(target, REHEARSED_TASKS))
    return Growth(tasks, np.round(read + more), read * slower)


def _passing(rng: np.random.Generator, grown: Grown, accepts: Draws, draws: int) -> Draws:
    """The chance that a candidate passes all but the comparison with tasks made before. Candidates of one reply are
    alike: they count for fewer by what the replies differ more than chance would have it."""
    per_reply = grown.candidates / len(accepts)
    all_passed = grown.tasks + grown.collided
    mean = grown.tasks / max(grown.candidates, 1)
    by_chance = max(per_reply * mean * (1 - mean), 1e-9)
    alike = float(np.clip(accepts.var() / by_chance, 1.0, max(per_reply, 1.0)))
    return share(rng, all_passed / alike, grown.candidates / alike, draws)


def _end(rng: np.random.Generator, chance: Draws, held: Draws, per_reply: float, target: int) -> Draws:
    """The tasks made when the search ends: the target, or where so many calls in a row added nothing."""
    barren = np.exp(per_reply * BARREN_CALLS * np.log1p(-np.minimum(chance, 1 - 1e-12)))
    going_on = np.cumsum(np.log1p(-np.minimum(barren, 1 - 1e-9)) * (held[1] - held[0] if len(held) > 1 else 1), axis=1)
    stopped = np.log(rng.random((len(chance), 1))) > going_on
    return np.where(stopped.any(axis=1), held[stopped.argmax(axis=1)], float(target))


def _rehearsed(
    rng: np.random.Generator, per_reply: float, passing: Draws, latencies: Draws, target: int
) -> tuple[Draws, Draws]:
    """Calls asked and not needed, and seconds for each reply read, for each draw."""
    played = [_play(rng, per_reply, p, latencies, target) for p in passing[:REHEARSALS]]
    at = rng.integers(len(played), size=len(passing))
    more, slower = np.array(played).T
    return more[at], slower[at]


def _play(
    rng: np.random.Generator, per_reply: float, passing: float, latencies: Draws, target: int
) -> tuple[float, float]:
    """One growth as the generator does it: calls are issued by the rate so far and read in their order."""
    size = int(np.ceil(per_reply))
    issued: deque[float] = deque()
    now, made, read = 0.0, 0, 0
    while made < target and read < 20 * target + BARREN_CALLS:
        wanted = calls_for(target - made, made, read, size)
        while len(issued) < wanted:
            issued.append(now + float(rng.choice(latencies)))
        now = max(now, issued.popleft())
        made += int(rng.binomial(size, min(passing * per_reply / size, 1.0)))
        read += 1
    return float(len(issued)), now / read
