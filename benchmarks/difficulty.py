"""Difficulty of a real set: what each measure is worth, and what choosing by it does to the lengths of answers.

Half of the rows are chosen, the middle of each measure: once over all, once within kind of task and length (what the
filter does). A choice that is about difficulty alone leaves lengths as they were.

    python benchmarks/difficulty.py --data alpaca.parquet --rows 3000 --picture docs/difficulty.png
"""

import argparse
import time
from pathlib import Path
from typing import Any

import polars as pl
from measuring import table

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.seeds import task_prompt
from tuneworks.filters.perplexity import Perplexity
from tuneworks.filters.strata import quantile, strata

BY = ("perplexity", "alone", "ifd", "zlib")
MIDDLE = (0.25, 0.75)
COLOURS = {"all": "#9aa5b1", "over all": "#d1603d", "within": "#2a6f97"}


def measured(path: Path, rows: int, seed: int) -> pl.DataFrame:
    """The filter's own measurements, of rows with an answer."""
    data = pl.read_parquet(path).filter(pl.col("output").str.strip_chars() != "").sample(rows, seed=seed)
    records = [
        Record.born(task_prompt(row["instruction"], row["input"]), answers=[Answer(row["output"])])
        for row in data.to_dicts()
    ]
    return Perplexity().measure(to_table(records)).filter(pl.col("perplexity").is_not_null())


def chosen(measures: pl.DataFrame, by: str) -> dict[str, pl.Series]:
    """Which rows stay: all, the middle over all, and what the filter keeps."""
    low, high = MIDDLE
    place = measures.select(stratum=0, value=by).select(quantile(pl.col("value"))).to_series()
    # Without `max_ifd` what decides is the band alone, for every measure the same.
    reasons = Perplexity.model_validate({"by": by, "keep": MIDDLE, "max_ifd": None}).reject(measures)
    everything = pl.Series([True]).new_from_index(0, measures.height)
    return {"all": everything, "over all": place.is_between(low, high), "within": reasons.is_null()}


def with_length(measures: pl.DataFrame, by: str) -> float:
    made: float = measures.select(pl.corr(by, "tokens", method="spearman")).item()
    return made


def within_strata(measures: pl.DataFrame, by: str) -> float:
    """The correlation with length of where a row stands in its stratum: what is left for the filter to go by."""
    placed = measures.with_columns(strata(measures, by).alias("stratum"))
    return with_length(placed.with_columns(quantile(pl.col(by)).alias("place")), "place")


def line(measures: pl.DataFrame, by: str) -> tuple[object, ...]:
    before, *after = (measures.filter(stays)["tokens"].cast(pl.Float64) for stays in chosen(measures, by).values())
    moved = [f"{apart(before, one):.3f}" for one in after]
    correlations = f"{with_length(measures, by):+.2f}", f"{within_strata(measures, by):+.2f}"
    return (by, *correlations, *map(spans, (before, *after)), *moved)


def spans(lengths: pl.Series) -> str:
    low, half, high = (lengths.quantile(at) for at in (0.1, 0.5, 0.9))
    return f"{lengths.mean():.0f} ({low:.0f}, {half:.0f}, {high:.0f})"


def apart(one: pl.Series, other: pl.Series) -> float:
    """The most by which the shares of values up to some length differ (Kolmogorov and Smirnov): 0 where alike."""
    values = one.unique()
    sides = {"one": one.sort(), "other": other.sort()}
    up_to = pl.DataFrame({name: side.search_sorted(values, side="right") / len(side) for name, side in sides.items()})
    most: float = up_to.select((pl.col("one") - pl.col("other")).abs().max()).item()
    return most


LABELS = {"all": "before", "over all": "middle half over all", "within": "middle half within strata"}
SHOWN = {"perplexity": "perplexity after the prompt", "ifd": "IFD", "tokens": "tokens of the answer"}
MARKS = {
    "perplexity": (1, 2, 5, 10, 20, 50, 100, 500),
    "ifd": (0.1, 0.2, 0.5, 1, 2),
    "tokens": (1, 3, 10, 30, 100, 300),
}


def picture(measures: pl.DataFrame, into: Path) -> None:
    """Above perplexity and IFD before and after, below the lengths of what is chosen by them."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), dpi=130, layout="constrained")
    for column, by in enumerate(("perplexity", "ifd")):
        stays = chosen(measures, by)
        histogram(axes[0, column], measures[by], by, stays, share=False)
        histogram(axes[1, column], measures["tokens"], "tokens", stays, share=True)
        axes[0, column].set_title(f"by: {by}", loc="left", fontweight="bold")
    axes[0, 0].legend(frameon=False, loc="upper right", fontsize=9)
    figure.savefig(into)


def histogram(axis: Any, values: pl.Series, shown: str, stays: dict[str, pl.Series], share: bool) -> None:
    """Rows, or with `share` per cent of the rows that stay, over a logarithmic axis."""
    import numpy as np
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    places = np.log10(values.cast(pl.Float64).to_numpy())
    low, high = np.quantile(places, (0.02, 0.985))
    edges = np.linspace(low, high, 33)
    if shown == "tokens":  # half a length bucket each, and no bar between two whole numbers
        edges = np.log10(np.round(2 ** np.arange(0, 9, 0.5)) - 0.5)
        edges = np.unique(edges)
        low, high = edges[0], edges[-1]
    for name, colour in COLOURS.items():
        part = np.clip(places[stays[name].to_numpy()], low, high)
        weights = np.full(len(part), 100 / len(part) if share else 1.0)
        filled = {"histtype": "stepfilled", "alpha": 0.55} if name == "all" else {"histtype": "step", "linewidth": 1.8}
        axis.hist(part, edges, weights=weights, color=colour, label=LABELS[name], **filled)
    axis.xaxis.set_major_locator(FixedLocator([float(np.log10(mark)) for mark in MARKS[shown]]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{10**at:g}"))
    axis.set(xlim=(low, high), xlabel=SHOWN[shown], ylabel="% of the rows that stay" if share else "rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--measures", type=Path, help="keep the measurements here, and take them from here if it is there"
    )
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    start = time.process_time()
    if options.measures and options.measures.exists():
        measures = pl.read_parquet(options.measures)
    else:
        measures = measured(options.data, options.rows, options.seed)
        if options.measures:
            measures.write_parquet(options.measures)
    print(f"{measures.height:,} answers measured in {time.process_time() - start:.0f} CPU s")
    columns = ("by", "with length", "in strata", "before", "over all", "in strata", "moved over all", "moved in strata")
    title = "Spearman correlation with the answer's length; its tokens, mean (10%, 50%, 90%); how far lengths moved"
    table(title, columns, [line(measures, by) for by in BY])
    proxies = [
        (by, *(f"{measures.select(pl.corr(by, other, method='spearman')).item():+.2f}" for other in BY)) for by in BY
    ]
    table("Spearman correlation between the measures", ("", *BY), proxies)
    if options.picture:
        picture(measures, options.picture)


if __name__ == "__main__":
    main()
