"""Strata: groups of like records within which a measurement is compared.

How hard an answer is to predict hangs on its length and on the kind of task: compared over all, a measurement would
pick lengths and kinds instead of difficulty.
"""

import polars as pl

STRATUM = "stratum"

FEWEST = 10
"""Fewest values that are compared with each other: of fewer, a band of quantiles takes most or none."""


def kind_of_task() -> pl.Expr:
    """The fact "kind", else whether it is classification; empty where the record tells neither."""
    told = pl.col("meta").str.json_path_match("$.kind")
    sort = pl.when(pl.col("meta").str.json_path_match("$.is_classification") == "true").then(pl.lit("classification"))
    return pl.when(told.str.strip_chars() != "").then(told).otherwise(sort).fill_null("")


def length_bucket(tokens: pl.Expr) -> pl.Expr:
    """0, 1, 2, 3, ...: each bucket is twice as wide as the one before it (1, 2-3, 4-7, 8-15 tokens ...)."""
    return pl.when(tokens > 0).then(tokens).cast(pl.Float64).log(2.0).floor().cast(pl.Int32)


def strata(measures: pl.DataFrame, value: str) -> pl.Series:
    """For each row the number of its stratum, of one kind of task and about one length; null where the row has no value
    or too few are like it.

    A bucket with fewer than FEWEST values is put together with the longer ones beside it (at the end, with the shorter
    ones); the kinds that have fewer in all are put together as one kind. If that has fewer still, its rows are null.
    """
    known = pl.col(value).is_not_null()
    rare = pl.len().over("kind") < FEWEST
    pooled = measures.select("kind", "bucket", known=known).with_row_index("row").filter("known")
    pooled = pooled.with_columns(rare=rare).with_columns(kind=pl.when("rare").then(None).otherwise("kind"))
    counts = pooled.group_by("rare", "kind", "bucket").len().sort("rare", "kind", "bucket")
    numbers = counts.with_columns(stratum=pl.Series(_numbers(counts), dtype=pl.Int32)).drop("len")
    placed = pooled.join(numbers, on=["rare", "kind", "bucket"], how="left", nulls_equal=True)
    rows = pl.DataFrame({"row": range(measures.height)}, schema={"row": pl.get_index_type()})
    return rows.join(placed.select("row", STRATUM), on="row", how="left", maintain_order="left")[STRATUM]


def _numbers(counts: pl.DataFrame) -> list[int | None]:
    """A number for each line of `kind`, `bucket` and `len`, in the order of kinds and buckets."""
    made: list[int | None] = []
    latest = -1
    for _, buckets in counts.group_by("rare", "kind", maintain_order=True):
        sums: list[list[int]] = []  # per stratum the buckets' counts
        for count in buckets["len"]:
            if not sums or sum(sums[-1]) >= FEWEST:
                sums.append([])
            sums[-1].append(count)
        if len(sums) > 1 and sum(sums[-1]) < FEWEST:
            last = sums.pop()
            sums[-1] += last
        for stratum in sums:
            latest += 1
            made += [latest if sum(stratum) >= FEWEST else None] * len(stratum)
    return made


def quantile(value: pl.Expr) -> pl.Expr:
    """Where a value stands in its stratum, between 0 and 1: the middle of its rank. Equals stand at the same place."""
    return ((value.rank("average") - 0.5) / value.count()).over(STRATUM)


def histogram_bin(value: pl.Expr, bins: int) -> pl.Expr:
    """Which of `bins` bins of equal width a value falls into, between the 2nd and the 98th percentile of the values;
    what lies beyond falls into the outermost ones."""
    low, high = value.quantile(0.02), value.quantile(0.98)
    width = pl.when(high > low).then((high - low) / bins).otherwise(1.0)
    return ((value - low) / width).floor().clip(0, bins - 1).cast(pl.Int32)
