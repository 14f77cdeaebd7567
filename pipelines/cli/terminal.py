"""Where commands print, how they end, and the arguments that several of them take."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from tuneworks.factory.errors import InputError

USER_ERROR, LIMIT_REACHED, INTERRUPTED = 2, 3, 130

RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of a built-in recipe.")]
RunName = Annotated[str, typer.Argument(help="A run's name or folder.")]
Runs = Annotated[Path, typer.Option(help="The folder that holds the runs.")]
RUNS = Path("runs")

console = Console(soft_wrap=True)
problems = Console(stderr=True, soft_wrap=True, highlight=False)


LITTLE = 1 << 16
"""Bytes of a disk that is full: a few may be left when a write fails."""


@contextmanager
def room_for(folder: Path) -> Iterator[None]:
    """A disk that is full inside is told as that, whoever ran into it: the journal, Polars or the system."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, sqlite3.Error) as error:
        if not _is_full(error, folder):
            raise
        raise InputError(
            f"the disk that holds {folder} is full; make room and give the same command again: what is whole is kept"
        ) from error


def _is_full(error: Exception, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    return "No space left on device" in str(error) or shutil.disk_usage(there).free < LITTLE


@contextmanager
def interruptible(kept: str, again: str) -> Iterator[None]:
    """Ctrl-C inside says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        problems.print(f"\nStopped. {kept}; go on with: tuneworks {again}", markup=False)
        raise typer.Exit(INTERRUPTED) from None
