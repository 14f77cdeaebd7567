"""Would a text be kept? The filters of a run judge it as the last of the records they judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.form import whole_characters
from tuneworks.factory.record import Answer, Record, from_table, to_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.measuring import decided, stored, with_ids
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.stages import RECORDS, Step, filters_of, steps_of


@dataclass(frozen=True, slots=True)
class Judged:
    """What one filter says of a text: why it would go, or None; and the record that stands nearest, where it knows."""

    step: str
    reason: str | None
    score: float | None
    nearest: Record | None
    unknown: str | None = None
    """Why the filter cannot judge the text here; then there is no reason."""


def asked_record(text: str, answer: str | None) -> Record:
    """The record a text would be. Bytes that are no text, which a shell may hand over, are replaced."""
    text = whole_characters(text)
    answers = [] if answer is None else [Answer(whole_characters(answer))]
    return Record.born(text, answers=answers, meta={"instruction": text, "input": ""})


def judged(recipe: Recipe, folder: Path, record: Record, source: str | None) -> Iterator[Judged]:
    """The verdict of every filter that a record of this source comes by, in order. Raises InputError for a source
    that is not there, or a step that is not made."""
    for step, work in _filters(recipe, source):
        yield _judged(step, work, folder, record)


def _filters(recipe: Recipe, source: str | None) -> list[tuple[Step, Filter]]:
    names = list(recipe.sources)
    if source is None and len(names) > 1:
        raise InputError(f"the run has {len(names)} sources; say which with --source: {', '.join(names)}")
    if source is not None and source not in names:
        raise InputError(f"the run has no source {source!r}; it has: {', '.join(names)}")
    wanted = {"", source or names[0]}
    return [(step, work) for step, work in filters_of(steps_of(recipe)) if step.source in wanted]


def _judged(step: Step, work: Filter, folder: Path, record: Record) -> Judged:
    if work.asks_engine():  # a server may be away, and costs money: nobody who only asks why is asked to pay
        return Judged(step.title, None, None, None, "not judged: the run's engine measures this; build to know")
    before, table = stored(step, folder), to_table([record])
    row = with_ids(work.measure(table), table)
    both = pl.concat([before, row.select(before.columns)], how="vertical_relaxed")
    verdict = decided(work, both).row(-1, named=True)
    named = verdict.get("nearest")
    nearest = _found(folder / step.takes[0] / RECORDS, named) if named else None
    return Judged(step.title, verdict["reason"], verdict.get("score"), nearest)


def _found(records: Path, record_id: str) -> Record | None:
    found = from_table(pl.scan_parquet(records).filter(pl.col("id") == record_id).collect())
    return found[0] if found else None
