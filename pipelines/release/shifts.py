"""What has shifted between two releases: how long the texts are, the margins, where the records come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from tuneworks.filters.words import word_count
from tuneworks.pipelines.reading import steps_made
from tuneworks.pipelines.release.contents import Contents, slices, spoken
from tuneworks.pipelines.release.places import Release
from tuneworks.pipelines.stages import RECORDS

RECORDS_OF_THE_RUN = "records"
"""Stands in place of a configuration where all records of the run are meant."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A figure of each release, over all splits of a configuration; None where it has none."""

    configuration: str
    measure: str
    before: float | None
    after: float | None


def shifts(name: str, before: Contents | None, after: Contents | None) -> Iterator[Shift]:
    """Median words of each text, the mean of each number; of a configuration that both have."""
    if before is not None and after is not None:
        yield from _side_by_side(name, _figures(before), _figures(after))


def source_shifts(before: Release, after: Release) -> Iterator[Shift]:
    """Shares of the sources among the records of two runs; nothing where one is no run."""
    if before.run is not None and after.run is not None:
        yield from _side_by_side(RECORDS_OF_THE_RUN, _sources(before), _sources(after))


def _side_by_side(name: str, one: Mapping[str, float], other: Mapping[str, float]) -> Iterator[Shift]:
    for measure in dict.fromkeys([*one, *other]):
        yield Shift(name, measure, one.get(measure), other.get(measure))


def _figures(held: Contents) -> dict[str, float]:
    texts = {column: text for column, text in spoken(held).items() if text is not None}
    numbers = [column for column, kind in held.schema.items() if kind.is_numeric() or kind == pl.Boolean()]
    measured = [word_count(text).alias(column) for column, text in texts.items()]
    measured += [pl.col(column).cast(pl.Float64).fill_nan(None) for column in numbers]
    parts = [rows for _, rows in slices(held, measured)] if measured else []
    if not parts:
        return {}
    table = pl.concat(parts)
    words = {f"median words of {column}": table[column].drop_nulls().median() for column in texts}
    means = {f"mean {column}": table[column].mean() for column in numbers}
    return {name: float(value) for name, value in (words | means).items() if isinstance(value, int | float)}


def _sources(release: Release) -> dict[str, float]:
    made = steps_made(release.run) if release.run is not None else []
    if not made:
        return {}
    counted = pl.scan_parquet(made[-1].folder / RECORDS).group_by("source").len().sort("source").collect()
    total = int(counted["len"].sum())
    return {f"share of {source}": count / total for source, count in counted.iter_rows()}
