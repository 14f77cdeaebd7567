"""The command line: `tuneworks`. All commands stand here, in the order in which the help lists them."""

import os
import sys
from typing import Annotated

import typer

from tuneworks import __version__
from tuneworks.factory.errors import TuneworksError
from tuneworks.pipelines.cli import building, evaluating, looking, proving, publishing, reference
from tuneworks.pipelines.cli.terminal import USER_ERROR, console, problems

app = typer.Typer(
    help="The factory for fine-tuning data: make, filter, mix and train from one recipe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


app.command("init")(building.init)
app.command("build")(building.build_recipe)
app.command("plan")(building.plan)
app.command("train")(building.train)
app.command("prove")(proving.prove)
app.command("evaluate")(evaluating.evaluate)
app.command("look")(looking.look)
app.command("report")(looking.report)
app.command("journal")(looking.journal)
app.command("mix")(looking.mix)
app.command("why")(looking.why)
app.command("why-not")(looking.why_not)
app.command("refilter")(looking.refilter)
app.command("audit")(publishing.audit)
app.command("verify")(publishing.verify)
app.command("diff")(publishing.diff)
app.command("export")(publishing.export)
app.command("push")(publishing.push)
app.command("kinds")(reference.kinds)
app.command("schema")(reference.schema)
app.command("recipe")(reference.recipe)
app.command("conformance")(reference.conformance)


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
