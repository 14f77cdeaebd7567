"""Levels of quality beyond good and bad: quantiles of the rewards within each kind of task (Quark, 2205.13636).

A judge is stricter with poems than with sums. Compared over all, the control would tell kinds apart and not answers.
"""

from collections.abc import Mapping

import polars as pl

from tuneworks.factory.record import REWARD
from tuneworks.filters.strata import kind_of_task
from tuneworks.pipelines.dataset.membership import Mask
from tuneworks.pipelines.recipe.sections import QualityPrompts
from tuneworks.trainers.rows import Levels

FEWEST = 20
"""Rewards for each level that a kind must have to be cut by itself; kinds with fewer are cut together."""


def levels_of(table: pl.LazyFrame, options: QualityPrompts, trained: Mask) -> Levels:
    """How the quality rows of the table are told apart; only records of the split to train on decide where."""
    plain = Levels(options.levels, options.phrasing, options.uncontrolled, options.hindsight)
    if options.levels == 2:
        return plain
    score = pl.element().struct.field("scores").list.eval(_reward()).list.first()
    told = table.select("id", kind=kind_of_task(), rewards=pl.col("answers").list.eval(score)).collect()
    rewards = told.filter(pl.Series(trained)).explode("rewards", empty_as_null=False, keep_nulls=False)
    rewards = rewards.filter(pl.col("rewards").is_finite())
    many = pl.len().over("kind") >= FEWEST * options.levels
    cut = rewards.with_columns(kind=pl.when(many).then("kind").otherwise(pl.lit("")))
    groups = cut.group_by("kind", maintain_order=True)
    edges = {str(kind): _edges(group["rewards"], options.levels) for (kind,), group in groups}
    edges.setdefault("", _edges(rewards["rewards"], options.levels))
    kinds = told.filter(pl.col("kind").is_in([kind for kind in edges if kind]))
    return Levels(
        plain.count, plain.phrasing, plain.uncontrolled, plain.hindsight, edges, dict(kinds.select("id", "kind").rows())
    )


def _reward() -> pl.Expr:
    return pl.element().filter(pl.element().struct.field("name") == REWARD).struct.field("value")


def _edges(rewards: pl.Series, levels: int) -> list[float]:
    """The largest reward of each level but the best; equal ones where a reward is too frequent to be parted."""
    found = [rewards.quantile(level / levels, "lower") for level in range(1, levels)]
    return [edge for edge in found if edge is not None]


def described(levels: Levels) -> Mapping[str, object]:
    """What the manifest says of them."""
    told: dict[str, object] = {"levels": levels.count, "phrasing": levels.phrasing}
    edges = {kind or "other kinds": list(at) for kind, at in levels.edges.items()}
    return told | ({"edges": edges} if edges else {})
