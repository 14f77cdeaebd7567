"""From what was measured of every pair to what is found: pure counting over one table."""

import math

import polars as pl

from tuneworks.pipelines.audit.findings import Audit, Finding, Lengths, Margins, wilson

DIFFERENT_PROMPTS = "chosen and rejected answer different prompts"
"""How the reason begins that sources give for such a row."""

EXAMPLES = 3
REPEATED = 3
"""Prompts that must share a chosen answer before it counts as repeated: short answers come twice by right."""

DOUBT = 0.1
"""Probabilities this near to 0.5 are uncertain."""

PAIR = ("prompt", "chosen", "rejected")


def audit(measures: pl.DataFrame) -> Audit:
    """Of a table with the columns of `MEASURES`; the order of its rows decides only which duplicate is the earlier."""
    seen = measures.filter(pl.col("same").is_not_null())
    pairs = seen.filter(pl.col("aside").is_null())
    margin, probability = pl.col("margin"), pl.col("probability")
    again = pl.struct(PAIR).is_first_distinct().not_()
    known = pairs.filter(margin.is_not_null())
    return Audit(
        seen=seen.height,
        pairs=pairs.height,
        unpaired=measures.height - seen.height,
        aside=_reasons(measures),
        differing_prompts=_found(seen, pl.col("aside").str.starts_with(DIFFERENT_PROMPTS)),
        empty=_found(seen, pl.col("empty")),
        identical=_found(seen, pl.col("same") & ~pl.col("empty")),
        ties=_found(seen, (margin == 0) | (probability == 0.5)),
        near_identical=_found(pairs, (pl.col("similarity") > 0) & ~pl.col("same")),
        duplicate_prompts=_found(pairs, pl.col("prompt").is_first_distinct().not_()),
        duplicate_pairs=_found(pairs, again),
        contradictory=_contradictory(pairs),
        reversed=_found(pairs, (margin < 0) | (probability < 0.5)),
        uncertain=_found(pairs, ((probability - 0.5).abs() <= DOUBT) & (probability != 0.5)),
        refusals_chosen=_found(pairs, pl.col("chosen_refuses")),
        refusals_rejected=_found(pairs, pl.col("rejected_refuses")),
        repeated_chosen=_repeated(pairs),
        characters=_lengths(pairs, "characters"),
        words=_lengths(pairs, "words"),
        margins=_margins(known),
    )


def _found(table: pl.DataFrame, where: pl.Expr) -> Finding:
    return _finding(table.filter(where.fill_null(False)), table.height)


def _finding(found: pl.DataFrame, of: int) -> Finding:
    return Finding(found.height, of, tuple(found["id"].head(EXAMPLES)))


def _reasons(measures: pl.DataFrame) -> dict[str, int]:
    why = measures["aside"].drop_nulls().str.replace_all(r"\d+(\.\d+)?(e-?\d+)?", "#").alias("why")
    return dict(why.value_counts().sort("count", "why", descending=[True, False]).iter_rows())


def _contradictory(pairs: pl.DataFrame) -> Finding:
    """Only pairs of two different answers can speak against each other."""
    apart = pairs.filter(~pl.col("same"))
    other_way = apart.select("prompt", chosen="rejected", rejected="chosen").unique()
    return _finding(apart.join(other_way, on=PAIR, how="semi", maintain_order="left"), pairs.height)


def _repeated(pairs: pl.DataFrame) -> Finding:
    counted = pairs.group_by("chosen").agg(prompts=pl.col("prompt").n_unique())
    many = counted.filter(pl.col("prompts") >= REPEATED)
    return _finding(pairs.join(many, on="chosen", how="semi", maintain_order="left"), pairs.height)


def _lengths(pairs: pl.DataFrame, unit: str) -> Lengths:
    chosen, rejected = (pl.col(f"{side}_{unit}").cast(pl.Int64) for side in ("chosen", "rejected"))
    longer, equal = _found(pairs, chosen > rejected), _found(pairs, chosen == rejected)
    ratios = pairs.filter(rejected > 0).select(chosen / rejected).to_series()
    known = pairs.filter(pl.col("margin").is_not_null())
    return Lengths(
        longer=longer,
        shorter=_found(pairs, chosen < rejected),
        equal=equal,
        interval=wilson(longer.count, longer.of),
        median_ratio=_number(ratios.median()),
        accuracy=(longer.count + equal.count / 2) / pairs.height if pairs.height else 0.5,
        spearman=_number(known.select(pl.corr("margin", chosen - rejected, method="spearman")).item()),
    )


def _margins(known: pl.DataFrame) -> Margins:
    longer = pl.col("chosen_characters") > pl.col("rejected_characters")
    shorter = pl.col("chosen_characters") < pl.col("rejected_characters")
    medians = (_number(known.filter(side)["margin"].median()) for side in (pl.lit(True), longer, shorter))
    return Margins(known.height, *medians)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
