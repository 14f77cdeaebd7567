"""Commands that send: a run's dataset to the Hub."""

from typing import Annotated

import typer

from tuneworks.pipelines.cli.terminal import RUNS, RunName, Runs, console, interruptible
from tuneworks.pipelines.hub import pages
from tuneworks.pipelines.hub.push import planned
from tuneworks.pipelines.hub.push import push as push_to_hub
from tuneworks.pipelines.reading import run_folder


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
