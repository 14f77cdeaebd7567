"""The command that asks whether a run's data helps."""

from typing import Annotated

import typer

from tuneworks.pipelines.cli.terminal import RUNS, RunName, Runs, console, interruptible
from tuneworks.pipelines.proving import Wanted, page
from tuneworks.pipelines.proving import prove as proved
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.recipe import load_recipe
from tuneworks.pipelines.run_folder import RECIPE, opened


def prove(
    run: RunName,
    runs: Runs = RUNS,
    arms: Annotated[
        str | None,
        typer.Option(help="Some arms alone, such as: kept,rejected,without rouge. `without` means each filter."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each arm.")] = 3,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of answers that each learns from, else what the smallest arm has.")
    ] = None,
    rows: Annotated[int, typer.Option(min=8, help="Most held-out rows to measure on.")] = 200,
    model: Annotated[
        str | None, typer.Option(help="The model that learns, else that of the recipe's sft, else smollm2.")
    ] = None,
) -> None:
    """Does this data help? Train on it, on what was rejected, on shuffled answers, without each filter; compare."""
    folder = run_folder(run, runs)
    recipe = load_recipe(str(folder / RECIPE))
    named = [name.strip() for name in arms.split(",") if name.strip()] if arms is not None else None
    with interruptible("Finished trainings are kept", f"prove {run}"), opened(recipe, folder, update=False):
        found = proved(recipe, folder, Wanted(named, seeds, tokens, rows, model), _said)
    page.show(console, found)


def _said(line: str) -> None:
    console.print(f"  {line}", style="dim", markup=False, highlight=False)
