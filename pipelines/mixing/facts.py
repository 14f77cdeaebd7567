"""What of a record decides whether it is mixed: how much it counts, its groups, its format.

Small columns alone are read, so that the texts of a source need not fit into memory.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tuneworks.factory.formats import FORMATS
from tuneworks.filters.strata import STRATUM, kind_of_task, quantile, strata
from tuneworks.filters.words import fact
from tuneworks.pipelines.mixing.lengths import counted
from tuneworks.pipelines.mixing.options import Group, Mix

AMOUNT, FORMAT = "amount", "format"

QUARTERS = ("easiest", "easier", "harder", "hardest")
"""Bins of difficulty: quarters of the perplexity, within kind of task and length of answer."""


def facts(records: Path, source: str, options: Mix, licence: str | None, measures: Path | None) -> pl.DataFrame:
    """A row for each record of the file: `amount`, and the columns that the options ask for. `measures` are those of
    the source's perplexity."""
    table = pl.scan_parquet(records)
    known: Mapping[Group, pl.Expr] = {
        "source": pl.lit(source),
        "kind": kind_of_task().replace("", None),
        "licence": pl.lit(licence, dtype=pl.String),
        "difficulty": pl.lit(None, dtype=pl.String),
    }
    wanted = [known[group].alias(group) for group in options.most]
    made = table.select(pl.lit(1, dtype=pl.UInt32).alias(AMOUNT), _format().alias(FORMAT), *wanted).collect()
    if "difficulty" in options.most and measures is not None:
        ids = table.select("id").collect()
        placed = ids.join(quarters(pl.read_parquet(measures)), on="id", how="left", maintain_order="left")
        made = made.with_columns(placed["difficulty"])
    return made.with_columns(counted(table, options.tokenizer).alias(AMOUNT)) if options.by == "tokens" else made


def _format() -> pl.Expr:
    told = fact("format")
    return pl.when(told.is_in(FORMATS)).then(told).otherwise(pl.lit(FORMATS[0])).cast(pl.Enum(FORMATS))


def quarters(measures: pl.DataFrame) -> pl.DataFrame:
    """`id` and `difficulty` of every record whose perplexity can be compared with that of others."""
    compared = measures.with_columns(strata(measures, "perplexity").alias(STRATUM))
    compared = compared.filter(pl.col(STRATUM).is_not_null() & pl.col("perplexity").is_not_null())
    at = (quantile(pl.col("perplexity")) * len(QUARTERS)).floor().cast(pl.Int8)
    return compared.select("id", difficulty=at.replace_strict(dict(enumerate(QUARTERS)), return_dtype=pl.String))
