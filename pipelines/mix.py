"""Mixing: the sources put together, each by its quota."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import InputError
from tuneworks.factory.record import SCHEMA
from tuneworks.pipelines.quotas import Quota, quotas
from tuneworks.pipelines.recipe import Mix, Recipe
from tuneworks.pipelines.stages import RECORDS, rows_in, steps_of


def mix(tables: Mapping[str, pl.DataFrame], options: Mix, dice: Dice) -> tuple[pl.DataFrame, pl.Series]:
    """All sources' records one after the other, and for each a reason to leave it out, or null.

    Which records of a source over its quota stay is drawn by the seed; those that stay keep their order.
    """
    whole = pl.concat([pl.DataFrame(schema=SCHEMA), *tables.values()])
    given = quotas_of({name: table.height for name, table in tables.items()}, options)
    reasons: list[str | None] = []
    for name, table in tables.items():
        quota = given[name].quota
        taken = set(dice.random(name).sample(range(table.height), quota))
        reason = f"the source {name} gives {quota} of its {table.height} records; the draw left it out"
        reasons += [None if row in taken else reason for row in range(table.height)]
    return whole, pl.Series("reason", reasons, dtype=pl.String)


def quotas_of(rows: Mapping[str, int], options: Mix) -> dict[str, Quota]:
    """What each source gives, by the options of a recipe's mix."""
    return quotas(rows, options.cap, options.temperature, options.scale, options.size, options.shares)


def quotas_made(recipe: Recipe, folder: Path) -> dict[str, Quota]:
    """What each source gives in a run that is made up to its mixture."""
    mixed = next(step for step in steps_of(recipe) if step.work is None)
    try:
        rows = [rows_in(folder / before / RECORDS) for before in mixed.takes]
    except OSError as error:
        raise InputError(f"the sources of {folder} are not made yet; make them with: tuneworks build") from error
    return quotas_of(dict(zip(recipe.sources, rows, strict=True)), recipe.mix)
