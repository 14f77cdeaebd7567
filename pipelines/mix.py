"""Mixing: the sources put together, each under the cap."""

from collections.abc import Mapping

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import SCHEMA


def mix(tables: Mapping[str, pl.DataFrame], cap: int | None, dice: Dice) -> tuple[pl.DataFrame, pl.Series]:
    """All sources' records one after the other, and for each a reason to leave it out, or null.

    Which records of a source over the cap stay is drawn by the seed; those that stay keep their order.
    """
    whole = pl.concat([pl.DataFrame(schema=SCHEMA), *tables.values()])
    reasons: list[str | None] = []
    for name, table in tables.items():
        taken = set(range(table.height))
        if cap is not None and table.height > cap:
            taken = set(dice.random(name).sample(range(table.height), cap))
        reason = f"over the cap of {cap} records from the source {name}; the draw left it out"
        reasons += [None if row in taken else reason for row in range(table.height)]
    return whole, pl.Series("reason", reasons, dtype=pl.String)
