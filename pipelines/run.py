"""The run: steps in order, each leaving a folder; what is whole is not made again."""

import fcntl
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import polars as pl
import yaml

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine
from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.generator import Generator
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Record, Rejected, from_table, to_rejected_table, to_table
from tuneworks.factory.seeds import read_seeds
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.dataset import MANIFEST, write_dataset
from tuneworks.pipelines.measuring import decided, measured
from tuneworks.pipelines.mix import mix
from tuneworks.pipelines.recipe import Recipe, Source, written
from tuneworks.pipelines.sources import check_file, read_file
from tuneworks.pipelines.stages import (
    RECORDS,
    ROW_GROUP,
    Counts,
    Step,
    counts_of,
    read_records,
    rows_in,
    steps_of,
    write_decided,
    write_step,
)

RECIPE, JOURNAL, LOCK, DATASET, MODELS = "recipe.yaml", "journal.sqlite", "lock", "dataset", "models"


class Watcher(Protocol):
    """Told how a build goes on; the command line draws it."""

    def step(self, title: str, total: int) -> None: ...

    def item(self, kept: bool) -> None: ...

    def reply(self, reply: Completion, replayed: bool) -> None: ...

    def measured(self, rows: int) -> None: ...

    def done(self, title: str, counts: Counts, reused: bool) -> None: ...


@dataclass(slots=True)
class Built:
    """What a build left, and what it asked: `asked` calls went to a model, `replayed` came out of the journal."""

    folder: Path
    steps: list[tuple[str, Counts]] = field(default_factory=list)
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    asked: int = 0
    replayed: int = 0


def check(recipe: Recipe) -> None:
    """Everything that would fail later, before anything is spent or written."""
    for source in recipe.sources.values():
        if source.file is not None:
            check_file(source.file)
        else:
            read_seeds(str(source.seeds), "")
    stages = [s for source in recipe.sources.values() for s in source.stages] + list(recipe.stages)
    for work in (*stages, *recipe.train):
        work.check()
    if any(isinstance(stage, Generator) for stage in stages):
        recipe.engine.check()


@contextmanager
def opened(recipe: Recipe, folder: Path, update: bool) -> Iterator[None]:
    """The run's folder, made or checked to be this recipe's, and locked against a second build."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise InputError(
            f"the run's folder {folder} cannot be written ({error.strerror}); name another with --runs"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"another build is at work on {folder}; wait for it or stop it") from error
        _keep_recipe(recipe, folder / RECIPE, update)
        yield


def _keep_recipe(recipe: Recipe, path: Path, update: bool) -> None:
    ours = written(recipe)
    if path.is_file() and not update:
        theirs = path.read_text(encoding="utf-8")
        if theirs != ours:
            changed = ", ".join(_changed(yaml.safe_load(theirs), yaml.safe_load(ours)))
            raise RecipeError(
                f"the run {path.parent} was made by another recipe (it differs in {changed}); give this one another "
                "name, or add --update to make again what changed"
            )
    path.write_text(ours, encoding="utf-8")


def _changed(old: object, new: object) -> list[str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return ["all of it"]
    return [key for key in new if old.get(key) != new[key]] or ["what it lacks"]


async def build(recipe: Recipe, folder: Path, watcher: Watcher) -> Built:
    """Make every step that is not whole, then the dataset. Call inside `opened`."""
    built = Built(folder)

    def seen(reply: Completion, replayed: bool) -> None:
        built.replayed += replayed
        built.asked += not replayed
        watcher.reply(reply, replayed)

    journal = Journal(folder / JOURNAL)
    engine = Journaled(recipe.engine.open(), journal, seen)
    made_again = False
    try:
        for step in steps_of(recipe):
            counts = counts_of(folder / step.folder, step.print)
            if counts is None:
                made_again = True
                counts = await _make(step, recipe, folder, engine, watcher)
                watcher.done(step.title, counts, reused=False)
            else:
                watcher.done(step.title, counts, reused=True)
            built.steps.append((step.title, counts))
    finally:
        await engine.close()
        journal.close()
    built.rows = _dataset(recipe, folder, made_again)
    return built


def _dataset(recipe: Recipe, folder: Path, made_again: bool) -> Mapping[str, Mapping[str, int]]:
    """Write the dataset from the last step; it is cheap, so only an untouched one is left as it is."""
    manifest = folder / DATASET / MANIFEST
    if manifest.is_file() and not made_again:
        rows: Mapping[str, Mapping[str, int]] = yaml.safe_load(manifest.read_text(encoding="utf-8"))["rows"]
        if set(rows) == set(recipe.datasets):
            return rows
    last = steps_of(recipe)[-1]
    return write_dataset(from_table(read_records(folder / last.folder)), recipe, folder / DATASET)


async def _make(step: Step, recipe: Recipe, folder: Path, engine: Engine, watcher: Watcher) -> Counts:
    if isinstance(step.work, Generator):
        return await _generated(step, step.work, recipe, folder, engine, watcher)
    with _stopped_at_once():
        if isinstance(step.work, Source):
            return _loaded(step, step.work, folder, watcher)
        if isinstance(step.work, Filter):
            return _filtered(step, step.work, folder, watcher)
        return _mixed(step, recipe, folder, watcher)


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


def _loaded(step: Step, source: Source, folder: Path, watcher: Watcher) -> Counts:
    began = time.monotonic()
    watcher.step(step.title, 0)
    kept, rejected = _tables(_load(source, step))
    return write_step(folder / step.folder, step, kept.height + rejected.height, kept, rejected, began)


async def _generated(
    step: Step, generator: Generator, recipe: Recipe, folder: Path, engine: Engine, watcher: Watcher
) -> Counts:
    began = time.monotonic()
    records = from_table(read_records(folder / step.takes[0]))
    watcher.step(step.title, generator.calls(len(records)))
    kept, rejected = await _generate(step, generator, records, recipe, engine, watcher)
    return write_step(folder / step.folder, step, len(records), to_table(kept), to_rejected_table(rejected), began)


def _filtered(step: Step, work: Filter, folder: Path, watcher: Watcher) -> Counts:
    began = time.monotonic()
    records, into = folder / step.takes[0] / RECORDS, folder / step.folder
    watcher.step(step.title, rows_in(records))
    measures = measured(work, records, into, step.measured_print, watcher.measured)
    return write_decided(into, step, pl.scan_parquet(records), decided(work, measures), began)


def _mixed(step: Step, recipe: Recipe, folder: Path, watcher: Watcher) -> Counts:
    began = time.monotonic()
    watcher.step(step.title, 0)
    tables = {name: read_records(folder / before) for name, before in zip(recipe.sources, step.takes, strict=True)}
    table, reasons = mix(tables, recipe.mix, Dice(recipe.seed, step.title))
    verdicts = pl.DataFrame({"id": table["id"], "reason": reasons})
    return write_decided(folder / step.folder, step, table.lazy(), verdicts, began)


def _load(source: Source, step: Step) -> Iterable[Record | Rejected]:
    if source.seeds is not None:
        return read_seeds(source.seeds, step.source)
    return read_file(str(source.file), step.source, step.title)


def _tables(items: Iterable[Record | Rejected]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Kept and rejected as tables. Few records at a time are Python objects, which take ten times the memory."""
    rows = iter(items)
    kept, rejected = [to_table([])], [to_rejected_table(list[Rejected]())]
    while batch := list(islice(rows, ROW_GROUP)):
        stay, go = _apart(batch)
        kept.append(to_table(stay))
        rejected.append(to_rejected_table(go))
    return pl.concat(kept), pl.concat(rejected)


def _apart(items: Iterable[Record | Rejected]) -> tuple[list[Record], list[Rejected]]:
    kept: list[Record] = []
    rejected: list[Rejected] = []
    for item in items:
        if isinstance(item, Record):
            kept.append(item)
        else:
            rejected.append(item)
    return kept, rejected


async def _generate(
    step: Step, generator: Generator, records: list[Record], recipe: Recipe, engine: Engine, watcher: Watcher
) -> tuple[list[Record], list[Rejected]]:
    kept: list[Record] = []
    rejected: list[Rejected] = []
    async for item in generator.generate(records, engine, Dice(recipe.seed, step.title)):
        watcher.item(isinstance(item, Record))
        if isinstance(item, Record):
            kept.append(item)
        else:
            rejected.append(item)
    return kept, rejected
