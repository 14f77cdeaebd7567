"""The run: steps in order, each leaving a folder; what is whole is not made again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from tuneworks.factory.engine import Completion
from tuneworks.factory.errors import BudgetReached, InputError
from tuneworks.factory.generator import Generator
from tuneworks.factory.record import fingerprint
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.audit.audited import audited_run
from tuneworks.pipelines.audit.findings import as_json
from tuneworks.pipelines.audit.limits import broken
from tuneworks.pipelines.card import Told, card
from tuneworks.pipelines.dataset import read_manifest, write_dataset
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

    journal, steps = asking.journal or folder / JOURNAL, steps_of(recipe)
    try:
        async with opened_models(recipe, journal, asking.replay, seen, watcher.waits) as engine:
            making = Making(recipe, folder, engine, watcher)
            for step in steps:
                counts = counts_of(folder / step.folder, step.print)
                reused = counts is not None
                if counts is None:
                    progress = Progress(step.title)
                    counts = await making.make(step)
                watcher.done(step.title, counts, reused)
                built.steps.append((step.title, counts))
    except BudgetReached as reached:  # the models are closed: all that was under way is answered, and counted
        raise stopped(reached.unit, engine.budget, progress) from reached
    made_of = _made_of(recipe, steps)
    held = _rows_held(folder, made_of)
    built.changed = held is None
    built.rows = _dataset(recipe, steps, folder, journal, made_of) if held is None else held
    return built


def _rows_held(folder: Path, made_of: str) -> Mapping[str, Mapping[str, int]] | None:
    """The rows of the dataset that lies there, if it is what the recipe makes of the last records."""
    manifest = read_manifest(folder / DATASET)
    if manifest is None or manifest.get("made_of") != made_of:
        return None
    rows: Mapping[str, Mapping[str, int]] = manifest["rows"]
    return rows


def _made_of(recipe: Recipe, steps: Sequence[Step]) -> str:
    """Stands for all that decides the dataset."""
    ends = [step.print for step in (steps[-1], _last_of_texts(recipe, steps)) if step is not None]
    named = {"name", "seed", "datasets", "holdout", "pretraining"}
    licences = [source.licence for source in recipe.sources.values()]
    phases = recipe.mix.model_dump(mode="json", include={"phases", "tokenizer"})
    return fingerprint([ends, recipe.model_dump(mode="json", include=named), licences, phases])


def _dataset(
    recipe: Recipe, steps: Sequence[Step], folder: Path, journal: Path, made_of: str
) -> Mapping[str, Mapping[str, int]]:
    """Write the dataset from the last step. Raises InputError where its pairs break a limit of the recipe's audit."""
    last, texts = folder / steps[-1].folder, _last_of_texts(recipe, steps)
    audit = audited_run(folder, last) if "preference" in recipe.datasets else None
    if audit is not None and (found := broken(audit, recipe.audit)):
        raise InputError(f"no dataset was written, for its pairs break limits of the audit: {'; '.join(found)}")
    told = Told(recipe, steps, folder, journal, audit)
    return write_dataset(
        pl.scan_parquet(last / RECORDS),
        recipe,
        folder / DATASET,
        pl.scan_parquet(folder / texts.folder / RECORDS) if texts is not None else None,
        partial(card, told),
        made_of=made_of,
        **({"audit": as_json(audit)} if audit is not None else {}),
    )


def _last_of_texts(recipe: Recipe, steps: Sequence[Step]) -> Step | None:
    """Where the texts of pretraining end, if there are any."""
    if recipe.pretraining is None:
        return None
    return [step for step in steps if step.source == recipe.pretraining.source][-1]
