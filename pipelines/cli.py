"""The command line: `tuneworks`."""

import asyncio
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tuneworks import __version__
from tuneworks.factory.errors import BudgetReached, TuneworksError
from tuneworks.pipelines import journal_pages, pages, planning_pages, why_pages
from tuneworks.pipelines.conformance import checked, chosen, page
from tuneworks.pipelines.initial import write_initial
from tuneworks.pipelines.mix import quotas_made
from tuneworks.pipelines.models import Asking
from tuneworks.pipelines.planning import PILOT_ROWS
from tuneworks.pipelines.planning import plan as planned
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.recipe import load_recipe, recipe_path, with_limits
from tuneworks.pipelines.refilter import briefs, refiltered
from tuneworks.pipelines.run import build, check
from tuneworks.pipelines.run_folder import RECIPE, opened
from tuneworks.pipelines.schema import json_schema
from tuneworks.pipelines.training import train_all
from tuneworks.pipelines.watching import Watching
from tuneworks.pipelines.why_not import asked_record, judged

USER_ERROR, LIMIT_REACHED, INTERRUPTED = 2, 3, 130

ANSWERS_KEPT = "All answers so far are kept"

app = typer.Typer(
    help="The factory for fine-tuning data: make, filter, mix and train from one recipe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of a built-in recipe.")]
RunName = Annotated[str, typer.Argument(help="A run's name or folder.")]
Runs = Annotated[Path, typer.Option(help="The folder that holds the runs.")]
JournalFile = Annotated[Path | None, typer.Option(help="A journal that recipes share, in place of the run's own.")]
MaxRows = Annotated[
    int | None, typer.Option(min=1, help="Most records that each generator takes or makes: to try a recipe out.")
]

console = Console(soft_wrap=True)
problems = Console(stderr=True, soft_wrap=True, highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"tuneworks {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def tuneworks(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it and end.")
    ] = False,
) -> None:
    pass


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write the recipe.")] = Path("recipe.yaml"),
) -> None:
    """Write a commented recipe to start from."""
    write_initial(file)
    console.print(f"Wrote {file}. Edit it, then: tuneworks build {file}", highlight=False)


@app.command("build")
def build_command(
    recipe: RecipeName,
    runs: Runs = Path("runs"),
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
    check(loaded, replay)
    folder = runs / loaded.name
    again = _again(recipe, runs, journal)
    try:
        with _interruptible(ANSWERS_KEPT, f"build {again}"), opened(loaded, folder, update):
            with Watching(console) as watcher:
                built = asyncio.run(build(loaded, folder, watcher, Asking(journal, replay)))
            pages.built(console, built)
            if train and loaded.train:
                train_all(loaded, folder, console)
    except BudgetReached as reached:
        more = f"go on with a higher limit: tuneworks build {again} --max-{reached.unit}"
        problems.print(f"Stopped: {reached}. {ANSWERS_KEPT}; {more}", markup=False)
        raise typer.Exit(LIMIT_REACHED) from None
    pages.where_to_look(console, folder)


@contextmanager
def _interruptible(kept: str, again: str) -> Iterator[None]:
    """Ctrl-C inside says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        problems.print(f"\nStopped. {kept}; go on with: tuneworks {again}", markup=False)
        raise typer.Exit(INTERRUPTED) from None


def _again(recipe: str, runs: Path, journal: Path | None) -> str:
    named = [("--runs", runs)] * (runs != Path("runs")) + [("--journal", journal)] * (journal is not None)
    return " ".join([recipe, *(f"{option} {shlex.quote(str(value))}" for option, value in named)])


@app.command("plan")
def plan_command(
    recipe: RecipeName,
    runs: Runs = Path("runs"),
    pilot: Annotated[int, typer.Option(min=4, help="Records that a step of the pilot takes or makes.")] = PILOT_ROWS,
    max_rows: MaxRows = None,
) -> None:
    """Build a small pilot, and say what the whole run will ask, cost and keep."""
    loaded = with_limits(load_recipe(recipe), rows=max_rows)
    check(loaded)
    folder = runs / loaded.name
    try:
        with _interruptible(ANSWERS_KEPT, f"plan {_again(recipe, runs, None)}"), Watching(console) as watcher:
            made = asyncio.run(planned(loaded, folder, pilot, watcher))
    except BudgetReached as reached:
        problems.print(f"The pilot was stopped: {reached}. Plan with a higher limit.", markup=False)
        raise typer.Exit(LIMIT_REACHED) from None
    planning_pages.plan(console, made)


@app.command("journal")
def journal_command(
    run: Annotated[str, typer.Argument(help="A run's name or folder, or a journal's file.")],
    runs: Runs = Path("runs"),
    export: Annotated[Path | None, typer.Option(help="Write every call to this Parquet file instead.")] = None,
) -> None:
    """Show what models were asked: calls, tokens, money, failures, the slowest; or export it."""
    place = journal_pages.journal_file(run, runs)
    if export is None:
        journal_pages.journal(console, place)
    else:
        calls = journal_pages.export(place, export)
        console.print(f"{calls:,} calls written to {export}.", highlight=False, markup=False)


@app.command("train")
def train_command(run: RunName, runs: Runs = Path("runs")) -> None:
    """Do the trainings of a run's recipe on its dataset."""
    folder = run_folder(run, runs)
    recipe = load_recipe(str(folder / RECIPE))
    for trainer in recipe.train:
        trainer.check()
    with _interruptible("Finished trainings are kept", f"train {run}"), opened(recipe, folder, update=False):
        train_all(recipe, folder, console)


@app.command()
def look(
    run: RunName,
    runs: Runs = Path("runs"),
    samples: Annotated[int, typer.Option(min=0, help="How many rows of each configuration to show.")] = 2,
) -> None:
    """Show a run: its funnel, why things went, and samples of its dataset."""
    pages.look(console, run_folder(run, runs), samples)


@app.command("mix")
def mix_command(run: RunName, runs: Runs = Path("runs")) -> None:
    """Show what each source gives to the mixture, and by which rate."""
    folder = run_folder(run, runs)
    pages.mixture(console, quotas_made(load_recipe(str(folder / RECIPE)), folder))


@app.command()
def why(
    run: RunName,
    record: Annotated[str, typer.Argument(metavar="ID", help="A record's id, or the beginning of one.")],
    runs: Runs = Path("runs"),
) -> None:
    """Why a record is there, or went: its parents, what models were asked, every measurement and verdict."""
    why_pages.why(console, run_folder(run, runs), record)


@app.command("why-not")
def why_not(
    run: RunName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An instruction; - reads it from standard input.")],
    answer: Annotated[str | None, typer.Option(help="An answer to it, for filters that judge answers.")] = None,
    source: Annotated[str | None, typer.Option(help="Whose filters, where a run has several sources.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Would this text be kept, as one more record of the run? If not, what stands against it."""
    folder = run_folder(run, runs)
    record = asked_record(sys.stdin.read() if text == "-" else text, answer)
    why_pages.why_not(console, judged(load_recipe(str(folder / RECIPE)), folder, record, source))


@app.command()
def refilter(
    run: RunName,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="STEP.OPTION=VALUE", help="Another option, such as rouge.max=0.6.")
    ],
    runs: Runs = Path("runs"),
    samples: Annotated[int, typer.Option(min=0, help="How many records to show of those that change.")] = 5,
) -> None:
    """Decide again from stored measurements with other thresholds, and show what changes. Asks no model."""
    folder = run_folder(run, runs)
    changes = refiltered(load_recipe(str(folder / RECIPE)), folder, settings)
    why_pages.refilter(console, changes, briefs(folder, changes, samples), samples)


@app.command()
def kinds(kind: Annotated[str | None, typer.Argument(help="One kind, with all its options.")] = None) -> None:
    """List every plugin; name one to see its options."""
    pages.kinds(console, kind)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    sys.stdout.write(json_schema())


@app.command()
def recipe(name: RecipeName) -> None:
    """Print a recipe, built-in or a file, to read or to start from."""
    sys.stdout.write(recipe_path(name).read_text(encoding="utf-8"))


@app.command()
def conformance(
    method: Annotated[str | None, typer.Argument(help="One method, by the beginning of its name.")] = None,
) -> None:
    """Print, rule by rule, how the methods stand to the published ones, after running a check of every claim."""
    methods = chosen(method)
    sys.stdout.write(page(methods))
    found = checked(methods)
    for line in found.unchecked:
        problems.print(f"Not checked, for a package is missing: {line}", markup=False)
    for line in found.broken:
        problems.print(f"DOES NOT HOLD: {line}", markup=False)
    problems.print(f"{found.held} checks hold, {len(found.broken)} do not.")
    if found.broken:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2, never a traceback."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app()
    except TuneworksError as error:
        problems.print(str(error), markup=False)
        sys.exit(USER_ERROR)
    except BrokenPipeError:  # `tuneworks look | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
