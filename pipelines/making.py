"""Making one step of a run: a source is loaded, a generator asked, a filter applied, or the sources are mixed."""

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, opened_beside
from tuneworks.factory.generator import Generator
from tuneworks.factory.record import Record, Rejected, from_table, to_rejected_table, to_table
from tuneworks.factory.seeds import read_seeds
from tuneworks.filters.filter import Filter
from tuneworks.filters.words import fact
from tuneworks.pipelines.hub.source import rows_of_hub
from tuneworks.pipelines.measuring import decided, measured, measured_asking
from tuneworks.pipelines.mixing.mixture import draw, given, kept, note
from tuneworks.pipelines.mixing.parts import parts_of
from tuneworks.pipelines.recipe import Recipe, Source
from tuneworks.pipelines.sources import read_file, read_rows
from tuneworks.pipelines.stages import (
    RECORDS,
    ROW_GROUP,
    Counts,
    Step,
    read_records,
    rows_in,
    write_decided,
    write_step,
)
from tuneworks.pipelines.watcher import Watcher


@dataclass(frozen=True, slots=True)
class Making:
    """All that the steps of one build have in common."""

    recipe: Recipe
    folder: Path
    engine: Engine
    watcher: Watcher

    async def make(self, step: Step) -> Counts:
        if isinstance(step.work, Generator):
            return await self._generated(step, step.work)
        if isinstance(step.work, Filter) and step.work.asks_engine():
            return await self._asked(step, step.work)
        with _stopped_at_once():
            if isinstance(step.work, Source):
                return self._loaded(step, step.work)
            if isinstance(step.work, Filter):
                return self._filtered(step, step.work)
            return self._mixed(step)

    def _loaded(self, step: Step, source: Source) -> Counts:
        began = time.monotonic()
        self.watcher.step(step.title, 0)
        kept, rejected = _tables(loaded(source, step))
        if source.seeds is None:
            self.watcher.read(_layouts(kept))
        return write_step(self.folder / step.folder, step, kept.height + rejected.height, kept, rejected, began)

    async def _generated(self, step: Step, work: Generator) -> Counts:
        began, dice = time.monotonic(), Dice(self.recipe.seed, step.title)
        records = from_table(read_records(self.folder / step.takes[0]))
        generator, records = limited(work, records, self.recipe.limits.rows, dice)
        self.watcher.step(step.title, generator.calls(len(records)))
        engine = opened_beside(self.engine, work.engine) if work.engine else self.engine
        kept: list[Record] = []
        rejected: list[Rejected] = []
        async for item in generator.generate(records, engine, dice):
            self.watcher.item(isinstance(item, Record))
            if isinstance(item, Record):
                kept.append(item)
            else:
                rejected.append(item)
        into = self.folder / step.folder
        return write_step(into, step, len(records), to_table(kept), to_rejected_table(rejected), began)

    def _filtered(self, step: Step, work: Filter) -> Counts:
        began, (records, into) = time.monotonic(), self._places(step)
        measures = measured(work, records, into, step.measured_print, self.watcher.measured)
        return write_decided(into, step, pl.scan_parquet(records), decided(work, measures).lazy(), began)

    async def _asked(self, step: Step, work: Filter) -> Counts:
        """A filter whose measurements the run's own model takes."""
        began, (records, into) = time.monotonic(), self._places(step)
        done = self.watcher.measured
        measures = await measured_asking(work, records, into, step.measured_print, self.engine, done)
        with _stopped_at_once():
            return write_decided(into, step, pl.scan_parquet(records), decided(work, measures).lazy(), began)

    def _places(self, step: Step) -> tuple[Path, Path]:
        records = self.folder / step.takes[0] / RECORDS
        self.watcher.step(step.title, rows_in(records))
        return records, self.folder / step.folder

    def _mixed(self, step: Step) -> Counts:
        began, into = time.monotonic(), self.folder / step.folder
        self.watcher.step(step.title, 0)
        parts = parts_of(self.recipe, self.folder)
        made = draw(parts, self.recipe.mix, Dice(self.recipe.seed, step.title))
        into.mkdir(parents=True, exist_ok=True)
        note(into, self.recipe.mix, given(parts, made, self.recipe.mix))
        table, verdicts, copies = kept(parts, made)
        return write_decided(into, step, table, verdicts, began, copies)


def limited(work: Generator, records: list[Record], rows: int | None, dice: Dice) -> tuple[Generator, list[Record]]:
    """What a generator does where it may take so many records: a lower target, or records drawn by the dice."""
    if rows is None:
        return work, records
    target = getattr(work, "target", None)
    if target is not None:
        return work.model_copy(update={"target": min(target, rows)}), records
    drawn = sorted(dice.random("limit").sample(range(len(records)), min(rows, len(records))))
    return work, [records[at] for at in drawn]


@contextmanager
def _stopped_at_once() -> Iterator[None]:
    """Ctrl-C ends what is done inside. asyncio would turn it into a cancellation at the next await, and there is none
    before the work is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def loaded(source: Source, step: Step) -> Iterable[Record | Rejected]:
    """What a source holds, in its order."""
    if source.seeds is not None:
        return read_seeds(source.seeds, step.source)
    if source.hub is not None:
        rows = rows_of_hub(source.hub, source.config, source.split, source.commit)
        return read_rows(rows, source.hub, step.source, step.title)
    return read_file(str(source.file), step.source, step.title)


def _tables(items: Iterable[Record | Rejected]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Kept and rejected as tables. Few records at a time are Python objects, which take ten times the memory."""
    rows = iter(items)
    kept, rejected = [to_table([])], [to_rejected_table(list[Rejected]())]
    while batch := list(islice(rows, ROW_GROUP)):
        kept.append(to_table([item for item in batch if isinstance(item, Record)]))
        rejected.append(to_rejected_table([item for item in batch if isinstance(item, Rejected)]))
    return pl.concat(kept), pl.concat(rejected)


def _layouts(kept: pl.DataFrame) -> dict[str, int]:
    """How many rows were read in which layout, the most common first."""
    named = kept.select(layout=fact("layout")).drop_nulls().to_series().value_counts(sort=True)
    return dict(named.sort("count", "layout", descending=[True, False]).iter_rows())
