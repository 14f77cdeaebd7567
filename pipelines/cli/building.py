"""Commands that build: a recipe to start from, its plan, the build itself, its trainings."""

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

import typer

from tuneworks.factory.errors import BudgetReached
from tuneworks.pipelines import pages, planning_pages
from tuneworks.pipelines.cli.publishing import push
from tuneworks.pipelines.cli.terminal import (
    LIMIT_REACHED,
    RUNS,
    RecipeName,
    RunName,
    Runs,
    console,
    interruptible,
    problems,
    room_for,
)
from tuneworks.pipelines.hub.pinning import pinned
from tuneworks.pipelines.initial import write_initial
from tuneworks.pipelines.models import Asking
from tuneworks.pipelines.planning import PILOT_ROWS
from tuneworks.pipelines.planning import plan as planned
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.recipe import load_recipe, with_limits
from tuneworks.pipelines.report import REPORT, write_report
from tuneworks.pipelines.run import build, check
from tuneworks.pipelines.run_folder import RECIPE, opened
from tuneworks.pipelines.training import show_plan, train_all
from tuneworks.pipelines.watching import Watching

JournalFile = Annotated[Path | None, typer.Option(help="A journal that recipes share, in place of the run's own.")]
MaxRows = Annotated[
    int | None, typer.Option(min=1, help="Most records that each generator takes or makes: to try a recipe out.")
]

ANSWERS_KEPT = "All answers so far are kept"
TRAININGS_KEPT = "Finished trainings are kept, and the one under way up to its last checkpoint"


def init(
    file: Annotated[Path, typer.Argument(help="Where to write the recipe.")] = Path("recipe.yaml"),
) -> None:
    """Write a commented recipe to start from."""
    write_initial(file)
    console.print(f"Wrote {file}. Edit it, then: tuneworks build {file}", highlight=False)


def build_recipe(
    recipe: RecipeName,
    runs: Runs = RUNS,
    update: Annotated[
        bool, typer.Option(help="Use a run's folder with a changed recipe: make again what changed.")
    ] = False,
    train: Annotated[bool, typer.Option(help="Do the recipe's trainings too.")] = True,
    journal: JournalFile = None,
    replay: Annotated[bool, typer.Option(help="Ask no model: take every reply from the journal.")] = False,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens for this run, in all its builds.")] = None,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Most money for this run, in all its builds.")] = None,
    max_hours: Annotated[float | None, typer.Option(min=0, help="Most hours that this build may ask models.")] = None,
    max_rows: MaxRows = None,
) -> None:
    """Build a recipe: make, filter, mix, write the dataset, train. Goes on where it stopped."""
    loaded = load_recipe(recipe)
    loaded = with_limits(loaded, tokens=max_tokens, usd=max_usd, hours=max_hours, rows=max_rows)
    folder = runs / loaded.name
    loaded = pinned(loaded, folder, update)
    check(loaded, replay)
    again = again_by(recipe, runs, journal)
    try:
        with interruptible(ANSWERS_KEPT, f"build {again}"), room_for(folder), opened(loaded, folder, update):
            with Watching(console) as watcher:
                built = asyncio.run(build(loaded, folder, watcher, Asking(journal, replay)))
            pages.built(console, built)
            if built.changed or not (folder / REPORT).is_file():
                write_report(folder)
            if train and loaded.train:
                with interruptible(TRAININGS_KEPT, f"build {again}"):
                    train_all(loaded, folder, console)
    except BudgetReached as reached:
        more = f"go on with a higher limit: tuneworks build {again} --max-{reached.unit}"
        problems.print(f"Stopped: {reached}. {ANSWERS_KEPT}; {more}", markup=False)
        raise typer.Exit(LIMIT_REACHED) from None
    if loaded.push is not None:
        push(str(folder), loaded.push.repo, runs, loaded.push.public, loaded.push.overwrite)
    pages.where_to_look(console, folder)


def again_by(recipe: str, runs: Path, journal: Path | None) -> str:
    named = [("--runs", runs)] * (runs != RUNS) + [("--journal", journal)] * (journal is not None)
    return " ".join([recipe, *(f"{option} {shlex.quote(str(value))}" for option, value in named)])


def plan(
    recipe: RecipeName,
    runs: Runs = RUNS,
    pilot: Annotated[int, typer.Option(min=4, help="Records that a step of the pilot takes or makes.")] = PILOT_ROWS,
    max_rows: MaxRows = None,
) -> None:
    """Build a small pilot, and say what the whole run will ask, cost and keep."""
    loaded = with_limits(load_recipe(recipe), rows=max_rows)
    folder = runs / loaded.name
    loaded = pinned(loaded, folder)
    check(loaded)
    try:
        with (
            interruptible(ANSWERS_KEPT, f"plan {again_by(recipe, runs, None)}"),
            room_for(folder),
            Watching(console) as watcher,
        ):
            made = asyncio.run(planned(loaded, folder, pilot, watcher))
    except BudgetReached as reached:
        problems.print(f"The pilot was stopped: {reached}. Plan with a higher limit.", markup=False)
        raise typer.Exit(LIMIT_REACHED) from None
    planning_pages.plan(console, made)


def train(
    run: RunName,
    runs: Runs = RUNS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and show the plan; train nothing.")
    ] = False,
) -> None:
    """Do the trainings of a run's recipe on its dataset."""
    folder = run_folder(run, runs)
    recipe = load_recipe(str(folder / RECIPE))
    for trainer in recipe.train:
        trainer.check()
    if dry_run:
        show_plan(recipe, folder, console)
        return
    again = " ".join([run, *([f"--runs {shlex.quote(str(runs))}"] * (runs != RUNS))])
    with (
        interruptible(TRAININGS_KEPT, f"train {again}"),
        room_for(folder),
        opened(recipe, folder, update=False),
    ):
        train_all(recipe, folder, console)
