"""What the command line prints about pushes."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tuneworks.pipelines.hub.push import Plan, Pushed


def plan(console: Console, made: Plan) -> None:
    """What a push would do, file by file."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file")
    table.add_column("bytes", justify="right")
    table.add_column("")
    for file in made.files:
        table.add_row(file.name, f"{file.size:,}", "" if file.change == "unknown" else file.change)
    console.print(table, markup=False, highlight=False)
    goes = [file for file in made.files if file.change in ("new", "changed", "unknown")]
    size = sum(file.size for file in goes)
    gone = sum(file.change == "deleted" for file in made.files)
    deleted = f", and {gone} would be deleted there" if gone else ""
    console.print(
        f"\n{len(goes)} files, {size:,} bytes, would go to {made.url}{deleted}.", highlight=False, markup=False
    )
    for name in made.stay:
        console.print(f"{name} would stay here: the manifest does not name it.", highlight=False, markup=False)
    if made.stands_against:
        console.print(f"But {made.stands_against}.", highlight=False, markup=False)


def pushed(console: Console, done: Pushed) -> None:
    """Where the dataset is now."""
    if done.files:
        console.print(f"Pushed: {done.url} is at the commit {done.commit[:8]}.", highlight=False, markup=False)


def line(console: Console) -> Callable[[str], None]:
    """Prints what a push tells on its way."""
    return lambda told: console.print(told, highlight=False, markup=False)
