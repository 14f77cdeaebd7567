"""The command line: `tuneworks`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tuneworks import __version__
from tuneworks.factory.errors import TuneworksError
from tuneworks.pipelines import pages, why_pages
from tuneworks.pipelines.conformance import checked, chosen, page
from tuneworks.pipelines.initial import write_initial
from tuneworks.pipelines.mix import quotas_made
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.recipe import load_recipe, recipe_path
from tuneworks.pipelines.refilter import briefs, refiltered
from tuneworks.pipelines.run import RECIPE, build, check, opened
from tuneworks.pipelines.schema import json_schema
from tuneworks.pipelines.training import train_all
from tuneworks.pipelines.watching import Watching
from tuneworks.pipelines.why_not import asked_record, judged

USER_ERROR, INTERRUPTED = 2, 130

app = typer.Typer(
    help="The factory for fine-tuning data: make, filter, mix and train from one recipe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of a built-in recipe.")]
RunName = Annotated[str, typer.Argument(help="A run's name or folder.")]
Runs = Annotated[Path, typer.Option(help="The folder that holds the runs.")]

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
) -> None:
    """Build a recipe: make, filter, mix, write the dataset, train. Goes on where it stopped."""
    loaded = load_recipe(recipe)
    check(loaded)
    folder = runs / loaded.name
    try:
        with opened(loaded, folder, update):
            with Watching(console) as watcher:
                built = asyncio.run(build(loaded, folder, watcher))
            pages.built(console, built)
            if train and loaded.train:
                train_all(loaded, folder, console)
    except KeyboardInterrupt:
        problems.print(f"\nStopped. All answers so far are kept; go on with: tuneworks build {_again(recipe, runs)}")
        raise typer.Exit(INTERRUPTED) from None
    pages.where_to_look(console, folder)


def _again(recipe: str, runs: Path) -> str:
    return recipe if runs == Path("runs") else f"{recipe} --runs {runs}"


@app.command("train")
def train_command(run: RunName, runs: Runs = Path("runs")) -> None:
    """Do the trainings of a run's recipe on its dataset."""
    folder = run_folder(run, runs)
    recipe = load_recipe(str(folder / RECIPE))
    for trainer in recipe.train:
        trainer.check()
    try:
        with opened(recipe, folder, update=False):
            train_all(recipe, folder, console)
    except KeyboardInterrupt:
        problems.print(f"\nStopped. Finished trainings are kept; go on with: tuneworks train {run}")
        raise typer.Exit(INTERRUPTED) from None


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
