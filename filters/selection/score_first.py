"""Score first (DEITA, arXiv:2312.15685): go down from the best-scored, past what is too like one already chosen."""

import numpy as np

from tuneworks.filters.selection.nearest import Rows, Similarities, Vectors

BLOCK = 512
"""Rows compared with all that are chosen in one multiplication."""

ROUNDING = 1e-6
"""A similarity is over the limit when it is so by more than the rounding of float32."""


def score_first(vectors: Vectors, count: int, most: float) -> tuple[Rows, Rows, Similarities]:
    """The rows chosen, at most `count`, of rows that come best-scored first; a row is passed whose cosine with one
    chosen before it is over `most`. And for each row looked at until all were chosen the most similar one chosen
    before it (-1 for the first), and their cosine."""
    chosen: list[int] = []
    kept = np.empty((min(count, len(vectors)), vectors.shape[1]), dtype=np.float32)
    rivals, similarities = np.full(len(vectors), -1, dtype=np.int64), np.full(len(vectors), -1, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        rival, similarity = rivals[start : start + BLOCK], similarities[start : start + BLOCK]  # views
        if chosen:
            known = block @ kept[: len(chosen)].T
            rival[:], similarity[:] = np.array(chosen)[known.argmax(axis=1)], known.max(axis=1)
        among = block @ block.T
        for at in range(len(block)):
            if similarity[at] > most + ROUNDING:
                continue
            kept[len(chosen)] = block[at]
            chosen.append(start + at)
            if len(chosen) == count:
                return np.array(chosen), rivals[: start + at + 1], similarities[: start + at + 1]
            later = np.flatnonzero(among[at, at + 1 :] > similarity[at + 1 :]) + at + 1
            rival[later], similarity[later] = start + at, among[at, later]
    return np.array(chosen, dtype=np.int64), rivals, similarities
