"""Which vectors are close to each other: all pairs from a cosine on, and for each vector the nearest of a set. Exact.

Scores are computed tile by tile, in bfloat16 where the processor multiplies it. Of a tile only the largest score of
each row is looked at; rows whose largest may reach the limit are looked at closely, and what may reach it is decided in
float32. Nothing is lost, for how far a score of a tile can be off is bounded (`slack` in tiles.py).

Above LARGEST rows an inverted file (FAISS) proposes, and float32 decides: then every pair is right, and few are missed.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.overlap.join import PAIRS
from tuneworks.filters.embedding.encoder import Vectors

Places = npt.NDArray[np.int64]

LARGEST = 150_000
"""Rows up to which all are compared with all."""

BLOCK = 16_384
"""Pairs whose scores are computed at a time."""


def pairs(vectors: Vectors, least: float) -> pl.DataFrame:
    """Every pair of rows with a cosine of at least `least`, once, as PAIRS. Rows are of length 1, or 0."""
    if len(vectors) > LARGEST:
        from tuneworks.filters.embedding.inverted_file import likely_pairs

        return likely_pairs(vectors, least)
    return all_pairs(vectors, least)


def nearest(vectors: Vectors, others: Vectors, own: Places | None = None) -> tuple[Places, Vectors]:
    """For each row the place of the most similar of `others` and their cosine; -1 and NaN where there is none.

    `own` says where in `others` each row itself stands (-1: nowhere); that one does not count. With more to compare
    than LARGEST by LARGEST rows the place is the nearest that an inverted file finds.
    """
    own = np.full(len(vectors), -1) if own is None else own
    if len(vectors) * len(others) > LARGEST**2:
        from tuneworks.filters.embedding.inverted_file import likely_nearest

        places = likely_nearest(vectors, others, own)
    else:
        places = nearest_of_all(vectors, others, own)
    found = np.flatnonzero(places >= 0)
    scores = np.full(len(vectors), np.nan, dtype=np.float32)
    scores[found] = cosines(vectors, others, found, places[found])
    return places, scores


def cosines(one: Vectors, other: Vectors, rows: Places, places: Places) -> Vectors:
    """The float32 product of row `rows[i]` of `one` with row `places[i]` of `other`, at most 1. It depends on the two
    rows alone, and not on their order."""
    scores = np.empty(len(rows), dtype=np.float32)
    for at in range(0, len(rows), BLOCK):
        part = slice(at, at + BLOCK)
        scores[part] = np.einsum("ij,ij->i", one[rows[part]], other[places[part]])
    return np.minimum(scores, np.float32(1))


def near_pairs(vectors: Vectors, rows: Places, others: Places, least: float) -> pl.DataFrame:
    """Of these pairs those with a cosine of at least `least`."""
    found = pl.DataFrame({"row": rows, "other": others, "score": cosines(vectors, vectors, rows, others)}, schema=PAIRS)
    return found.filter(pl.col("score") >= least)


def all_pairs(vectors: Vectors, least: float) -> pl.DataFrame:
    """Every pair, whatever the number of rows."""
    require_torch("comparing embeddings")
    from tuneworks.filters.embedding.tiles import TILE, Tiles, one_thread

    found = [PAIRS.to_frame()]
    tiles = Tiles(vectors, vectors)
    with one_thread():
        for low in range(0, len(vectors), TILE):
            found.append(near_pairs(vectors, *tiles.reaching(low, least), least))
    return pl.concat(found)


def nearest_of_all(vectors: Vectors, others: Vectors, own: Places) -> Places:
    """The tile that holds the nearest has a largest score within twice the slack of the row's largest of all, for both
    are off by the slack at most. Only such tiles are computed in float32."""
    require_torch("comparing embeddings")
    from tuneworks.filters.embedding.tiles import TILE, Tiles, one_thread

    places, best = np.full(len(vectors), -1), np.full(len(vectors), -np.inf, dtype=np.float32)
    tiles = Tiles(vectors, others)
    with one_thread():
        tops = tiles.largest(own)
        floor = tops.max(axis=1, initial=-np.inf) - 2 * tiles.slack
        for tile in range(tops.shape[1]):
            near = np.flatnonzero((tops[:, tile] >= floor) & (tops[:, tile] > -np.inf))
            for at in range(0, len(near), TILE):
                rows = near[at : at + TILE]
                scores = tiles.in_float32(rows, tile * TILE, own[rows])
                first = scores.argmax(axis=1)
                score = scores[np.arange(len(rows)), first]
                better = score > best[rows]
                places[rows[better]], best[rows[better]] = first[better] + tile * TILE, score[better]
    return places
