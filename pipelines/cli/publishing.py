"""Commands before and after a dataset goes out: audit its pairs, push it, verify what came, compare two releases."""

from pathlib import Path
from typing import Annotated

import typer

from tuneworks.factory.weights import SMOLLM2_ON_HUB
from tuneworks.pipelines.audit import page as audit_page
from tuneworks.pipelines.audit.audited import audited_file, audited_run
from tuneworks.pipelines.cli.terminal import RUNS, RunName, Runs, console, interruptible
from tuneworks.pipelines.exports import TARGETS
from tuneworks.pipelines.exports import export as exported
from tuneworks.pipelines.exports import page as exports_page
from tuneworks.pipelines.hub import pages
from tuneworks.pipelines.hub.push import planned
from tuneworks.pipelines.hub.push import push as push_to_hub
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.release import difference_page, verify_page
from tuneworks.pipelines.release.difference import difference
from tuneworks.pipelines.release.verify import verified
from tuneworks.pipelines.run_folder import DATASET

NOT_WHOLE = 1

Release = Annotated[str, typer.Argument(help="A run, the folder of a dataset, or a dataset on the Hub: owner/name.")]


def audit(
    pairs: Annotated[str, typer.Argument(metavar="RUN_OR_FILE", help="A run, or a file of preference pairs.")],
    runs: Runs = RUNS,
) -> None:
    """Audit preference pairs: lengths, duplicates, differing prompts, refusals, ties, contradictions."""
    found = audited_file(pairs) if Path(pairs).is_file() else audited_run(run_folder(pairs, runs))
    audit_page.show(console, found)


def export(
    run: RunName,
    to: Annotated[str, typer.Option(help=f"What reads it: {', '.join(TARGETS)}.")],
    into: Annotated[Path | None, typer.Option(help="The folder to write, else exports/NAME in the run's.")] = None,
    model: Annotated[str, typer.Option(help="The model that the written configurations train.")] = SMOLLM2_ON_HUB,
    runs: Runs = RUNS,
) -> None:
    """Write a run's dataset as another trainer reads it, with a configuration to start it."""
    folder = run_folder(run, runs)
    place = into or folder / "exports" / to
    exports_page.show(console, exported(folder / DATASET, to, place, model), place)


def push(
    run: RunName,
    repo: Annotated[str, typer.Argument(help="The dataset on the Hub: owner/name.")],
    runs: Runs = RUNS,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see a repo that is made.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Go on where others put something there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and send nothing.")] = False,
) -> None:
    """Push a run's dataset to the Hugging Face Hub, in one commit. Goes on where it broke off."""
    folder = run_folder(run, runs)
    if dry_run:
        pages.plan(console, planned(folder, repo))
        return
    with interruptible("What has reached the Hub is not sent again", f"push {run} {repo}"):
        pages.pushed(console, push_to_hub(folder, repo, public=public, overwrite=overwrite, told=pages.line(console)))


def verify(place: Release, runs: Runs = RUNS) -> None:
    """Check every file of a dataset against its manifest. Ends with status 1 where one is not as it was written."""
    found = verified(place, runs)
    verify_page.show(console, found)
    if not found.whole:
        raise typer.Exit(NOT_WHOLE)


def diff(
    a: Annotated[str, typer.Argument(help="The earlier release: a run, the folder of a dataset, or owner/name.")],
    b: Annotated[str, typer.Argument(help="The later one.")],
    runs: Runs = RUNS,
) -> None:
    """Compare two releases: rows added, removed, changed and moved, the recipes, and what shifted."""
    difference_page.show(console, difference(a, b, runs))
