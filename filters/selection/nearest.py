"""The nearest of some rows to each of others, in tiles."""

import numpy as np
import numpy.typing as npt
import polars as pl

Vectors = npt.NDArray[np.float32]
"""(rows, dimensions), each row of length 1, so that a product of two is their cosine."""

Rows = npt.NDArray[np.int64]
"""Places of rows."""

Similarities = npt.NDArray[np.float32]

TILE = 1 << 22
"""Similarities held at once: 16 MB."""


def nearest(vectors: Vectors, others: Vectors) -> tuple[Rows, Similarities]:
    """For each vector the place of the most similar one of `others` (at least one), of equals the first, and how
    similar they are."""
    step = max(1, TILE // len(others))
    at, similarity = np.empty(len(vectors), dtype=np.int64), np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), step):
        tile = vectors[start : start + step] @ others.T
        at[start : start + step] = tile.argmax(axis=1)
        similarity[start : start + step] = tile.max(axis=1)
    return at, similarity


def column(vectors: Vectors) -> pl.Series:
    return pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))
