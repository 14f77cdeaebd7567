"""Every pair of rows at or above a threshold: ROUGE-L of sequences, Jaccard or containment of sets.

Exact, and without comparing all pairs: rows that can reach the threshold are found by their rarest keys
(`prefixes`), and what is left is compared for good.
"""

import numpy as np
import polars as pl

from tuneworks.factory.overlap.bounds import Bound, Measure, Numbers
from tuneworks.factory.overlap.compiled import compiled
from tuneworks.factory.overlap.keys import keys_of
from tuneworks.factory.overlap.tokens import Bags

PAIRS = pl.Schema({"row": pl.UInt32(), "other": pl.UInt32(), "score": pl.Float64()})
"""Two rows by their places, and how similar they are."""


def self_join(bags: Bags, measure: Measure, least: float) -> pl.DataFrame:
    """Every pair of rows with a score of at least `least` (0 < least <= 1), the later row first, in order."""
    if measure == "containment":
        return cross_join(bags, bags, measure, least).filter(pl.col("row") > pl.col("other"))
    return _joined(bags, None, Bound(measure, least))


def cross_join(bags: Bags, reference: Bags, measure: Measure, least: float) -> pl.DataFrame:
    """Every pair of a row of `bags` and one of `reference`, whose numbers mean the same, with a score of at least
    `least`, in order. Containment is the share of the reference's row that the row of `bags` holds."""
    return _joined(bags, reference, Bound(measure, least))


def _joined(bags: Bags, reference: Bags | None, bound: Bound) -> pl.DataFrame:
    other = bags if reference is None else reference
    keys, ranks = keys_of([bags] if reference is None else [bags, other])
    probe, index = keys[0], keys[-1]
    if compiled(len(bags.tokens) + len(other.tokens)):
        from tuneworks.factory.overlap.compiled_join import near_pairs
    else:
        from tuneworks.factory.overlap.kernel_numpy import near_pairs
    sequences = None
    if bound.measure == "rouge_l":
        held = other.rows(index.rows)
        sequences = (held if reference is None else bags.rows(probe.rows)), held
    frames = [PAIRS.to_frame()]
    for x, y, common in near_pairs(probe, index, ranks, bound, reference is None, sequences):
        frames.append(_scored(probe.rows[x], index.rows[y], common, probe.sizes[x], index.sizes[y], bound))
    pairs = pl.concat(frames)
    if reference is None:
        pairs = pairs.select(
            row=pl.max_horizontal("row", "other"), other=pl.min_horizontal("row", "other"), score="score"
        )
    return pairs.sort("row", "other")


def _scored(row: Numbers, other: Numbers, common: Numbers, m: Numbers, n: Numbers, bound: Bound) -> pl.DataFrame:
    some = np.flatnonzero(common)
    row, other, score = row[some], other[some], bound.score(common[some], m[some], n[some])
    enough = score >= bound.least
    return pl.DataFrame({"row": row[enough], "other": other[enough], "score": score[enough]}, schema_overrides=PAIRS)
