"""What a run kept, held out and rejected: everything that arms are made of. No record that is learned from gives away
one that is held out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import InputError
from tuneworks.factory.record import REJECTED_SCHEMA, SCHEMA
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.dataset.sides import HELD_OUT, TRAIN, groups, shown, sides
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.stages import RECORDS, REJECTED, Step, counts_of, filters_of, steps_of

TEST = HELD_OUT[0]


@dataclass(frozen=True, slots=True)
class Pool:
    steps: list[Step]
    filters: list[tuple[Step, Filter]]
    """Those on the way of records that are trained on, in order."""
    kept: pl.DataFrame
    """Records that are trained on."""
    held_out: pl.DataFrame
    """Records of the test split, and in `group` which of them give each other away."""
    rejected: pl.DataFrame
    """Records that filters rejected, each with its `stage`, without relatives of what is held out."""
    relatives: int
    """Rejected records that were left out as relatives of held-out ones."""


def pool_of(recipe: Recipe, folder: Path) -> Pool:
    """Raises InputError where the run is not finished, or holds out nothing."""
    steps = steps_of(recipe)
    for step in steps:
        if counts_of(folder / step.folder, step.print) is None:
            raise InputError(f"the step {step.title} of {folder} is not made; finish the run with: tuneworks build")
    apart = recipe.pretraining.source if recipe.pretraining else None
    filters = [(step, work) for step, work in filters_of(steps) if step.source != apart or not step.source]
    last = pl.scan_parquet(folder / steps[-1].folder / RECORDS)
    side = sides(last, recipe.holdout.model_dump(), Dice(recipe.seed, "holdout"))
    if not (side == TEST).any():
        raise InputError(
            f"the run {folder} holds out no test split to measure on; set holdout: 0.1 in the recipe, then: tuneworks "
            "build RECIPE --update"
        )
    rejected = _rejected(folder, filters)
    free, group = _beside(last, side, rejected)
    records = last.collect()
    return Pool(
        steps=steps,
        filters=filters,
        kept=records.filter(side == TRAIN),
        held_out=records.with_columns(group=group[: records.height]).filter(side == TEST),
        rejected=rejected.collect().filter(pl.Series(free, dtype=pl.Boolean)),
        relatives=int((~free).sum()),
    )


def _rejected(folder: Path, filters: list[tuple[Step, Filter]]) -> pl.LazyFrame:
    """Whole records that filters rejected, step after step."""
    files = [folder / step.folder / REJECTED for step, _ in filters]
    if not files:
        return pl.LazyFrame(schema=REJECTED_SCHEMA)
    gone = [pl.scan_parquet(file).filter(pl.col("part") == "record") for file in files]
    return pl.concat(gone).select(list(REJECTED_SCHEMA))


def _beside(last: pl.LazyFrame, side: pl.Series, rejected: pl.LazyFrame) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Of each rejected record whether it gives no held-out one away: none is in its group, and its prompt shows none.
    And the group of each record of the last step and, behind them, of each rejected one."""
    both = pl.concat([last.select(list(SCHEMA)), rejected.select(list(SCHEMA))])
    ids = both.select("id").collect()["id"]
    held = np.zeros(len(ids), dtype=bool)
    held[: len(side)] = side.is_in(list(HELD_OUT)).to_numpy()
    group, giving_away = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=bool)
    for number, places in enumerate(groups(both)):
        group[places] = number
        giving_away[places] = held[places].any()
    out = pl.Series([TRAIN, TEST]).gather(held.astype(np.uint32))
    giving_away[shown(both, ids, out).to_numpy()] = True
    return ~giving_away[len(side) :], group
