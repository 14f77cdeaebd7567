"""Where commands print, how they end, and the arguments that several of them take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

USER_ERROR, LIMIT_REACHED, INTERRUPTED = 2, 3, 130

RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of a built-in recipe.")]
RunName = Annotated[str, typer.Argument(help="A run's name or folder.")]
Runs = Annotated[Path, typer.Option(help="The folder that holds the runs.")]
RUNS = Path("runs")

console = Console(soft_wrap=True)
problems = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def interruptible(kept: str, again: str) -> Iterator[None]:
    """Ctrl-C inside says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        problems.print(f"\nStopped. {kept}; go on with: tuneworks {again}", markup=False)
        raise typer.Exit(INTERRUPTED) from None
