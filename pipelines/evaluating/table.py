"""What `tuneworks evaluate` prints: one table, each line with its interval and what it tells."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from tuneworks.pipelines.evaluating.differences import Line
from tuneworks.pipelines.evaluating.evaluate import Evaluation

MARKS: Mapping[str, str] = {"better": "better", "worse": "worse", "no difference told": "~", "": ""}


def show(console: Console, found: Evaluation) -> None:
    console.print(_table(found))
    console.print()
    console.print(
        "In brackets the 95% interval of the difference; ~ where it has 0 in it.", highlight=False, markup=False
    )
    for note in found.notes:
        console.print(note, style="dim", highlight=False, markup=False)


def _table(found: Evaluation) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=False)
    for name in (found.model, found.base):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("of", justify="right")
    table.add_column("")
    part = ""
    for line in found.lines:
        if line.part != part:
            part = line.part
            table.add_row(f"[bold]{part}[/bold]")
        difference = shown_difference(line)
        table.add_row(f"  {line.name}", value(line, line.model), value(line, line.base), difference,
                      str(line.items), MARKS[line.verdict])  # fmt: skip
    return table


def shown_difference(line: Line) -> str:
    apart = line.difference
    if apart is None:
        return ""
    return f"{signed(line, apart.mean)} ({signed(line, apart.low)} to {signed(line, apart.high)})"


def value(line: Line, number: float | None) -> str:
    if number is None:
        return ""
    return {"share": f"{number:.0%}", "words": f"{number:.0f}", "nats": f"{number:.3f}", "reward": f"{number:.3f}"}[
        line.unit
    ]


def signed(line: Line, number: float) -> str:
    """Shares differ in points of a hundred."""
    return {
        "share": f"{100 * number:+.0f}",
        "words": f"{number:+.0f}",
        "nats": f"{number:+.3f}",
        "reward": f"{number:+.3f}",
    }[line.unit]
