"""Keep first: of rows too close to each other the first stays, and only rows that stay count against later ones.

Deciding on a list of pairs, whoever found them, makes the answer independent of how the search was cut up. Every group
of duplicates keeps at least one, and every row that goes names one that stays (unlike connected components, which drop
rows that are close to no row that stays).
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from tuneworks.factory.overlap.join import PAIRS

RIVALS = pl.Schema({"rival": pl.UInt32(), "score": pl.Float64()})


def rivals(pairs: pl.DataFrame, order: Iterable[int], rows: int) -> pl.DataFrame:
    """For each of `rows` rows the most similar row that stays in its place (of equals the one first in `order`) and
    their score; null where the row itself stays. `pairs` are as in PAIRS, each once, either way round; `order` names
    each row once, those that have the right to stay first."""
    if not pairs.height:
        return pl.DataFrame({name: [None] * rows for name in RIVALS}, schema=RIVALS)
    rank = np.empty(rows, dtype=np.int64)
    rank[np.fromiter(order, dtype=np.int64, count=rows)] = np.arange(rows)
    one, other, score = (pairs[name].to_numpy() for name in PAIRS)
    swap = rank[one] < rank[other]
    late, early = np.where(swap, other, one), np.where(swap, one, other)
    by_turn = np.lexsort((rank[early], -score, rank[late]))
    at = np.full(rows, -1, dtype=np.int64)  # the pair that decided on each row
    gone = bytearray(rows)
    for place, late_row, early_row in zip(
        by_turn.tolist(), late[by_turn].tolist(), early[by_turn].tolist(), strict=True
    ):
        if not gone[early_row] and not gone[late_row]:
            gone[late_row], at[late_row] = 1, place
    decided = pl.DataFrame({"rival": early[at], "score": score[at]}, schema=RIVALS)
    return decided.select(pl.when(pl.lit(pl.Series(at >= 0))).then(pl.all()).name.keep())
