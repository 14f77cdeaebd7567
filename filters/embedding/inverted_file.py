"""Close vectors among very many: an inverted file (FAISS) proposes, float32 decides.

Vectors are put into lists by the nearest of some centres, and a row is compared with the rows of the few lists nearest
to it. A pair is found when either of its rows finds the other.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl

from tuneworks.factory.errors import MissingExtra
from tuneworks.factory.overlap.join import PAIRS
from tuneworks.filters.embedding.encoder import Vectors
from tuneworks.filters.embedding.neighbours import Places, near_pairs

PROBES = 4
"""Lists that a row is compared with for its pairs."""

NEAREST_PROBES = 8
"""Lists in which its nearest row is looked for: mostly farther away, it is easier to miss."""

QUERIES = 8192
"""Rows searched for at a time."""

NEAR = 1e-5
"""FAISS's own float32 product may be so much lower than ours."""


def require_faiss(purpose: str) -> None:
    if find_spec("faiss") is None:
        raise MissingExtra("faiss-cpu", "embed", purpose)


def likely_pairs(vectors: Vectors, least: float) -> pl.DataFrame:
    """Pairs of rows with a cosine of at least `least`, each once: all of them right, nearly all that there are."""
    index = _index(vectors, PROBES)
    found = [PAIRS.to_frame()]
    for low in range(0, len(vectors), QUERIES):
        limits, _, places = index.range_search(vectors[low : low + QUERIES], least - NEAR)
        rows = np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64)) + low
        apart = rows != places
        late, early = np.maximum(rows, places)[apart], np.minimum(rows, places)[apart]
        found.append(near_pairs(vectors, late, early, least))
    return pl.concat(found).unique().sort("row", "other")


def likely_nearest(vectors: Vectors, others: Vectors, own: Places) -> Places:
    """For each row the most similar of `others` in the lists nearest to it, its own place left out; -1 where they hold
    nothing else."""
    index = _index(others, NEAREST_PROBES)
    best = np.full(len(vectors), -1)
    for low in range(0, len(vectors), QUERIES):
        _, places = index.search(vectors[low : low + QUERIES], 2)
        itself = places[:, 0] == own[low : low + QUERIES]
        best[low : low + QUERIES] = np.where(itself, places[:, 1], places[:, 0])
    return best


def _index(vectors: Vectors, probes: int) -> Any:
    require_faiss("comparing so many embeddings")
    import faiss

    rows, dimensions = vectors.shape
    centres = faiss.IndexFlatIP(dimensions)
    lists = max(1, min(2 ** round(np.log2(4 * np.sqrt(max(rows, 1)))), rows // 39))  # FAISS wants 39 rows a centre
    index = faiss.IndexIVFFlat(centres, dimensions, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = 10, 64  # better centres cost more than they save
    if rows:
        index.train(vectors)
        index.add(vectors)
    index.nprobe = probes
    return index
