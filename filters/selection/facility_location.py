"""Facility location: the rows that together cover all rows best.

A choice is worth the sum, over all rows, of the similarity to the nearest chosen one (negative ones count 0). Each next
row is the one that adds most, which comes to at least 63% of the best possible sum. What a row adds only falls as
others are chosen, so only those are computed anew whose last figure is still the highest (lazy greedy, Minoux 1978):
the same choice for a fraction of the work. Many rows are divided into parts, each part nominates several times its
share, and among the nominated the choice is made again (arXiv:1411.0541).
"""

import heapq

import numpy as np

from tuneworks.filters.selection.nearest import Rows, Vectors

EXACT = 16_000
"""Up to so many rows the greedy choice is exact: all similarities are held at once, 1 GB. No part has more."""

DIGITS = 4
"""To how many digits what a row adds is compared. Two rows that are each other's nearest add just the same, but for
the rounding of float32."""

NOMINATED = 4
"""How many times its share a part nominates."""


def facility_location(vectors: Vectors, count: int) -> Rows:
    """`count` rows; of rows that add the same the first. Their order must be a draw: parts are cut from it, and so are
    the rows that the nominated are to cover where all would not fit."""
    if len(vectors) <= EXACT:
        return np.array(_greedy(vectors, vectors, count), dtype=np.int64)
    parts = np.array_split(np.arange(len(vectors)), -(-len(vectors) // EXACT))
    shares = np.diff(np.linspace(0, count, len(parts) + 1).round().astype(np.int64)).tolist()
    named = [p[_greedy(vectors[p], vectors[p], min(len(p), NOMINATED * s))] for p, s in zip(parts, shares, strict=True)]
    nominated = np.sort(np.concatenate(named))
    seen = min(len(vectors), EXACT**2 // len(nominated))
    if seen < len(nominated):  # too few rows to tell so many candidates apart: each part gives its share
        return np.concatenate([part[:share] for part, share in zip(named, shares, strict=True)])
    return nominated[_greedy(vectors[nominated], vectors[:seen], count)]


def _greedy(candidates: Vectors, covered: Vectors, count: int) -> list[int]:
    """Which `count` candidates cover `covered` best, in the order chosen."""
    similar = candidates @ covered.T
    coverage, added = np.zeros(len(covered), dtype=np.float32), np.empty(len(covered), dtype=np.float32)
    heap = [(-np.inf, at, -1) for at in range(len(candidates))]  # minus what it added, which, when so many were chosen
    chosen: list[int] = []
    while len(chosen) < count:
        _, at, known = heapq.heappop(heap)
        if known == len(chosen):
            chosen.append(at)
            np.maximum(coverage, similar[at], out=coverage)
        else:
            np.subtract(similar[at], coverage, out=added)
            np.maximum(added, 0, out=added)
            heapq.heappush(heap, (-round(float(added.sum()), DIGITS), at, len(chosen)))
    return chosen
