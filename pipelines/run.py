"""The run: steps in order, each leaving a folder; what is whole is not made again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from tuneworks.factory.engine import Completion
from tuneworks.factory.errors import BudgetReached
from tuneworks.factory.generator import Generator
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.dataset import read_manifest, write_dataset
from tuneworks.pipelines.dataset.writing import of_dataset
from tuneworks.pipelines.hub.push import check_push
from tuneworks.pipelines.hub.source import check_hub
from tuneworks.pipelines.limits import Progress, require_prices, stopped
from tuneworks.pipelines.making import Making
from tuneworks.pipelines.mixing.lengths import check_tokenizer
from tuneworks.pipelines.models import PLAIN, Asking, opened_models
from tuneworks.pipelines.recipe import Recipe, Stage
from tuneworks.pipelines.run_folder import DATASET, JOURNAL
from tuneworks.pipelines.sources import check_file
from tuneworks.pipelines.stages import RECORDS, Counts, Step, counts_of, steps_of
from tuneworks.pipelines.watcher import Watcher


@dataclass(slots=True)
class Built:
    """What a build left, and what it asked: `asked` calls went to a model, `replayed` came out of the journal."""

    folder: Path
    steps: list[tuple[str, Counts]] = field(default_factory=list)
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    asked: int = 0
    replayed: int = 0
    usd: float = 0.0
    """What the calls cost that were asked."""
    changed: bool = False
    """Whether a step was made, or the dataset written."""


def check(recipe: Recipe, replay: bool = False) -> None:
    """Everything that would fail later, before anything is spent or written. A replay needs no model."""
    for source in recipe.sources.values():
        if source.file is not None:
            check_file(source.file)
        elif source.hub is not None:
            check_hub(source.hub, source.config, source.split, source.commit or source.revision)
        else:
            read_seeds(str(source.seeds), "")
    for work in (*recipe.every_stage, *recipe.train):
        if not (replay and isinstance(work, Generator)):
            work.check()
    require_prices(recipe)
    if recipe.mix.by == "tokens" or recipe.pretraining is not None:
        check_tokenizer(recipe.mix.tokenizer)
    if recipe.push is not None:
        check_push(recipe.push.repo, recipe.name, recipe.push.overwrite)
    if not replay and any(_asks(stage) for stage in recipe.every_stage):
        recipe.engine.check()


def _asks(stage: Stage) -> bool:
    """Whether a stage asks the recipe's engine."""
    return stage.engine is None if isinstance(stage, Generator) else stage.asks_engine()


async def build(recipe: Recipe, folder: Path, watcher: Watcher, asking: Asking = PLAIN) -> Built:
    """Make every step that is not whole, then the dataset. Call inside `opened`."""
    built, progress = Built(folder), Progress("")

    def seen(reply: Completion, replayed: bool) -> None:
        built.replayed += replayed
        built.asked += not replayed
        built.usd += 0.0 if replayed else reply.usage.usd
        progress.reply(reply.usage, replayed)
        watcher.reply(reply, replayed)

    made_again = False
    journal = asking.journal or folder / JOURNAL
    try:
        async with opened_models(recipe, journal, asking.replay, seen, watcher.waits) as engine:
            making = Making(recipe, folder, engine, watcher)
            for step in steps_of(recipe):
                counts = counts_of(folder / step.folder, step.print)
                reused = counts is not None
                if counts is None:
                    made_again, progress = True, Progress(step.title)
                    counts = await making.make(step)
                watcher.done(step.title, counts, reused)
                built.steps.append((step.title, counts))
    except BudgetReached as reached:  # the models are closed: all that was under way is answered, and counted
        raise stopped(reached.unit, engine.budget, progress) from reached
    held = None if made_again else _rows_held(recipe, folder)
    built.changed = held is None
    built.rows = _dataset(recipe, folder) if held is None else held
    return built


def _rows_held(recipe: Recipe, folder: Path) -> Mapping[str, Mapping[str, int]] | None:
    """The rows of the dataset that lies there, if it is what the recipe makes of the last records."""
    manifest = read_manifest(folder / DATASET)
    if manifest is None or manifest.get("recipe") != of_dataset(recipe):
        return None
    rows: Mapping[str, Mapping[str, int]] = manifest["rows"]
    return rows


def _dataset(recipe: Recipe, folder: Path) -> Mapping[str, Mapping[str, int]]:
    steps = steps_of(recipe)
    records = pl.scan_parquet(folder / steps[-1].folder / RECORDS)
    return write_dataset(records, recipe, folder / DATASET, _documents(recipe, folder, steps))


def _documents(recipe: Recipe, folder: Path, steps: Sequence[Step]) -> pl.LazyFrame | None:
    """What the source of pretraining came to, where there is one."""
    if recipe.pretraining is None:
        return None
    last = [step for step in steps if step.source == recipe.pretraining.source][-1]
    return pl.scan_parquet(folder / last.folder / RECORDS)
