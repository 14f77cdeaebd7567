"""Commands that look at a run: what it holds, why a record is there or went, what other options would change."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tuneworks.pipelines import journal_pages, pages, why_pages
from tuneworks.pipelines.cli.terminal import RUNS, RunName, Runs, console
from tuneworks.pipelines.mixing.page import mixture
from tuneworks.pipelines.mixing.parts import mixture_made
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.recipe import load_recipe
from tuneworks.pipelines.refilter import briefs, refiltered
from tuneworks.pipelines.report import write_report
from tuneworks.pipelines.run_folder import RECIPE
from tuneworks.pipelines.why_not import asked_record, judged


def journal(
    run: Annotated[str, typer.Argument(help="A run's name or folder, or a journal's file.")],
    runs: Runs = RUNS,
    export: Annotated[Path | None, typer.Option(help="Write every call to this Parquet file instead.")] = None,
) -> None:
    """Show what models were asked: calls, tokens, money, failures, the slowest; or export it."""
    place = journal_pages.journal_file(run, runs)
    if export is None:
        journal_pages.journal(console, place)
    else:
        calls = journal_pages.export(place, export)
        console.print(f"{calls:,} calls written to {export}.", highlight=False, markup=False)


def look(
    run: RunName,
    runs: Runs = RUNS,
    samples: Annotated[int, typer.Option(min=0, help="How many rows of each configuration to show.")] = 2,
) -> None:
    """Show a run: its funnel, why things went, and samples of its dataset."""
    pages.look(console, run_folder(run, runs), samples)


def report(run: RunName, runs: Runs = RUNS) -> None:
    """Write a run's report, report.html: one page with all there is to see. A build writes it at its end."""
    console.print(f"Wrote {write_report(run_folder(run, runs))}", highlight=False, markup=False)


def mix(
    run: RunName,
    runs: Runs = RUNS,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each quota is what it is.")] = False,
) -> None:
    """Show what each source gives to the mixture, by which rate, and how often it is gone through."""
    folder = run_folder(run, runs)
    mixture(console, *mixture_made(load_recipe(str(folder / RECIPE)), folder), explain)


def why(
    run: RunName,
    record: Annotated[str, typer.Argument(metavar="ID", help="A record's id, or the beginning of one.")],
    runs: Runs = RUNS,
) -> None:
    """Why a record is there, or went: its parents, what models were asked, every measurement and verdict."""
    why_pages.why(console, run_folder(run, runs), record)


def why_not(
    run: RunName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An instruction; - reads it from standard input.")],
    answer: Annotated[str | None, typer.Option(help="An answer to it, for filters that judge answers.")] = None,
    source: Annotated[str | None, typer.Option(help="Whose filters, where a run has several sources.")] = None,
    runs: Runs = RUNS,
) -> None:
    """Would this text be kept, as one more record of the run? If not, what stands against it."""
    folder = run_folder(run, runs)
    record = asked_record(sys.stdin.read() if text == "-" else text, answer)
    why_pages.why_not(console, judged(load_recipe(str(folder / RECIPE)), folder, record, source))


def refilter(
    run: RunName,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="STEP.OPTION=VALUE", help="Another option, such as rouge.max=0.6.")
    ],
    runs: Runs = RUNS,
    samples: Annotated[int, typer.Option(min=0, help="How many records to show of those that change.")] = 5,
) -> None:
    """Decide again from stored measurements with other thresholds, and show what changes. Asks no model."""
    folder = run_folder(run, runs)
    changes = refiltered(load_recipe(str(folder / RECIPE)), folder, settings)
    why_pages.refilter(console, changes, briefs(folder, changes, samples), samples)
