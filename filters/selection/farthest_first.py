"""Farthest first (Gonzalez 1985): each next row is the one farthest from all that are chosen.

After k rows no row is farther from a chosen one than twice what the best k could reach. The plain way compares all rows
with each row as it is chosen, and so reads all vectors k times. But a row only comes closer to the chosen ones: while
the farthest of a few thousand rows is farther than all others last were, those others need no look. They catch up
with many chosen rows at once, in one matrix product, and what is chosen is the same.
"""

import numpy as np

from tuneworks.filters.selection.nearest import TILE, Rows, Similarities, Vectors

FEW = 2048
"""Rows that are compared with each row as it is chosen: their vectors fit into a processor's cache."""

ROUNDING = 2e-6
"""Similarities less apart than this are told apart in float64: a product's last bits depend on its shape."""


def farthest_first(vectors: Vectors, count: int, start: int) -> Rows:
    """`count` rows in the order chosen, `start` first; of rows equally far the first."""
    chosen, counted = [start], 0
    closest = np.full(
        len(vectors), -np.inf, dtype=np.float32
    )  # similarity to the nearest of the first `counted` chosen
    while len(chosen) < count:
        _catch_up(closest, vectors, vectors[chosen[counted:]])
        closest[chosen] = np.inf
        counted = len(chosen)
        order = np.argsort(closest, kind="stable")
        inside = FEW + int((closest[order[FEW:]] <= closest[order[0]] + ROUNDING).sum())
        few = np.sort(order[:inside])
        limit = float(closest[order[inside]]) if len(order) > inside else np.inf
        _choose(chosen, count, vectors, few, closest[few], limit)
    return np.array(chosen, dtype=np.int64)


def _catch_up(closest: Similarities, vectors: Vectors, new: Vectors) -> None:
    step = max(1, TILE // len(new))
    for start in range(0, len(vectors), step):
        part = closest[start : start + step]
        np.maximum(part, (vectors[start : start + step] @ new.T).max(axis=1), out=part)


def _choose(chosen: list[int], count: int, vectors: Vectors, few: Rows, closest: Similarities, limit: float) -> None:
    """Choose among a few rows, until one of the others, none of which was closer than `limit`, may be farther. One is
    chosen in any case: all are up to date at first, and whoever may be the farthest is among the few."""
    cached, so_far = vectors[few], len(chosen)
    while len(chosen) < count:
        low = float(closest.min())
        if len(chosen) > so_far and low + ROUNDING >= limit:
            break
        close = np.flatnonzero(closest <= low + ROUNDING)
        at = int(close[0]) if len(close) == 1 else _farthest(close, cached, vectors[chosen])
        chosen.append(int(few[at]))
        np.maximum(closest, cached @ cached[at], out=closest)
        closest[at] = np.inf


def _farthest(close: Rows, vectors: Vectors, chosen: Vectors) -> int:
    exact = (vectors[close].astype(np.float64) @ chosen.T.astype(np.float64)).max(axis=1).round(12)
    return int(close[exact.argmin()])
