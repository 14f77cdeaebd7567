"""What ranks records: the reward, another named score, or a fact that is a number."""

import polars as pl

from tuneworks.factory.record import REWARD
from tuneworks.filters.words import fact


def ranking(name: str) -> pl.Expr:
    """The score of this name of the best answer, else the fact of this name; null where neither is a number."""
    rewards = pl.col("answers").list.eval(_score(REWARD))
    if name == REWARD:
        scored = rewards.list.max()
    else:
        best = rewards.list.arg_max().fill_null(0)
        scored = pl.col("answers").list.eval(_score(name)).list.get(best, null_on_oob=True)
    return pl.coalesce(scored, fact(name).cast(pl.Float64, strict=False).fill_nan(None)).cast(pl.Float64)


def _score(name: str) -> pl.Expr:
    """Of each answer in a list; null where it has none of this name."""
    value = pl.element().filter(pl.element().struct.field("name") == name).struct.field("value").first()
    return pl.element().struct.field("scores").list.eval(value).list.first().fill_nan(None)
