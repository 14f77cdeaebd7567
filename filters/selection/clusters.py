"""Clusters: groups of records whose embeddings are alike, by k-means."""

import numpy as np

from tuneworks.filters.selection.nearest import Rows, Vectors

ROUNDS = 20


def cluster_of(vectors: Vectors, count: int) -> Rows:
    """The number of the cluster that each row is in, `count` clusters at most; the same for the same rows in the same
    order. The centres are found on at most 256 rows a cluster, drawn by a fixed seed."""
    import faiss

    if not len(vectors):
        return np.empty(0, dtype=np.int64)
    means = faiss.Kmeans(
        vectors.shape[1], min(count, len(vectors)), niter=ROUNDS, seed=0, spherical=True, min_points_per_centroid=1
    )
    means.train(np.ascontiguousarray(vectors))
    found: Rows = means.index.search(np.ascontiguousarray(vectors), 1)[1][:, 0]
    return found
