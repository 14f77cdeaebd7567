"""Which of many vectors stay when none may be too close to one that stays, and what is nearest to each."""

import hashlib

import numpy as np
import polars as pl

from tuneworks.factory.overlap.join import PAIRS
from tuneworks.filters.embedding.encoder import Vectors
from tuneworks.filters.embedding.neighbours import Places, cosines, nearest, pairs
from tuneworks.filters.keep_first import rivals

DECIDED = pl.Schema({"gone": pl.Boolean(), "nearest": pl.UInt32(), "score": pl.Float64()})


def keep_apart(vectors: Vectors, limit: float) -> pl.DataFrame:
    """For each row, those with the right to stay first: whether its cosine to one before it that stays is above
    `limit`, and of all others that stay the nearest and its cosine (null where no other stays).

    Copies are compared once: a copy goes as the first of its kind does, or because of it, so that many copies make no
    more pairs than one.
    """
    first, kind = distinct(vectors, limit)
    unlike = vectors[first]
    close = pairs(unlike, limit).filter(pl.col("score") > limit) if limit < 1 else PAIRS.to_frame()
    stays = rivals(close, range(len(first)), len(first))["rival"].is_null().to_numpy()
    kept = np.flatnonzero(stays)
    own = np.full(len(first), -1)
    own[kept] = np.arange(len(kept))
    place, score = nearest(unlike, unlike[kept], own)
    place = np.where(place < 0, -1, first[kept[place]])
    copies = np.flatnonzero(first[kind] != np.arange(len(vectors)))
    again = copies[stays[kind[copies]]]  # copies of a row that stays: nothing is nearer than that row
    place, score = place[kind], score[kind]
    place[again], score[again] = first[kind[again]], cosines(vectors, vectors, again, first[kind[again]])
    gone = ~stays[kind]
    gone[again] = True
    known = place >= 0
    decided = pl.DataFrame({"gone": gone, "nearest": np.maximum(place, 0), "score": score}, schema=DECIDED)
    return decided.with_columns(pl.when(pl.lit(pl.Series(known))).then(pl.col("nearest", "score")).name.keep())


def distinct(vectors: Vectors, limit: float) -> tuple[Places, Places]:
    """The places of the rows that differ, and for every row which of those it equals. Rows that a copy may stand beside
    (their product with themselves is not above `limit`, as that of a row of zeros) count as different."""
    rows = np.arange(len(vectors))
    solid = cosines(vectors, vectors, rows, rows) > limit
    place: dict[bytes | int, int] = {}
    kind = np.empty(len(vectors), dtype=np.int64)
    for at, row in enumerate(vectors):
        key = hashlib.blake2b(row.tobytes(), digest_size=16).digest() if solid[at] else at
        kind[at] = place.setdefault(key, len(place))
    first = np.full(len(place), len(vectors))
    np.minimum.at(first, kind, rows)
    return first, kind
