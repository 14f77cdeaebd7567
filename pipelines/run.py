"""The run: steps in order, each leaving a folder; what is whole is not made again."""

import fcntl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from tuneworks.pipelines.mix import mix
from tuneworks.pipelines.recipe import Recipe, Source, written
from tuneworks.pipelines.sources import check_file, read_file
from tuneworks.pipelines.stages import (
    Counts,
    Step,
    counts_of,
    read_records,
    rejected_rows,
    steps_of,
    write_step,
)

RECIPE, JOURNAL, LOCK, DATASET, MODELS = "recipe.yaml", "journal.sqlite", "lock", "dataset", "models"


class Watcher(Protocol):
    """Told how a build goes on; the command line draws it."""

    def step(self, title: str, calls: int) -> None: ...

    def item(self, kept: bool) -> None: ...

    def reply(self, reply: Completion, replayed: bool) -> None: ...

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
    began = time.monotonic()
    into = folder / step.folder
    if isinstance(step.work, Source):
        watcher.step(step.title, 0)
        kept, rejected = _apart(_load(step.work, step))
        taken = len(kept) + len(rejected)
        return write_step(into, step, taken, to_table(kept), to_rejected_table(rejected), began)
    tables = [read_records(folder / before) for before in step.takes]
    if isinstance(step.work, Generator):
        records = from_table(tables[0])
        watcher.step(step.title, step.work.calls(len(records)))
        kept, rejected = await _generate(step, step.work, records, recipe, engine, watcher)
        return write_step(into, step, len(records), to_table(kept), to_rejected_table(rejected), began)
    watcher.step(step.title, 0)
    measures: pl.DataFrame | None = None
    if isinstance(step.work, Filter):
        table = tables[0]
        measures = step.work.measure(table)
        reasons = step.work.reject(measures)
        measures = measures.with_columns(table["id"].alias("id")) if "id" not in measures.columns else measures
    else:
        names = list(recipe.sources)
        table, reasons = mix(dict(zip(names, tables, strict=True)), recipe.mix.cap, Dice(recipe.seed, step.title))
    gone = rejected_rows(table, reasons, step.title)
    return write_step(into, step, table.height, table.filter(reasons.is_null()), gone, began, measures)


def _load(source: Source, step: Step) -> Iterable[Record | Rejected]:
    if source.seeds is not None:
        return read_seeds(source.seeds, step.source)
    return read_file(str(source.file), step.source, step.title)


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
