"""What the command line prints about a journal: what was asked, what it cost, and what went wrong."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tuneworks.factory.journal.export import export as exported
from tuneworks.factory.journal.reading import Slow, Summary, summary
from tuneworks.factory.quoting import one_line
from tuneworks.pipelines.reading import run_folder
from tuneworks.pipelines.run_folder import JOURNAL

LONGEST = 60
"""Characters of a prompt that are shown."""


def journal_file(run: str, runs: Path) -> Path:
    """The journal of a run given by its name or folder, be it only planned, or a journal's own file."""
    places = (Path(run), Path(run) / JOURNAL, runs / run / JOURNAL)
    held = next((place for place in places if place.is_file()), None)
    return held or run_folder(run, runs) / JOURNAL


def journal(console: Console, path: Path) -> None:
    held = summary(path)
    if not held.asked:
        console.print("The journal holds no call yet.")
    else:
        _asked(console, held)
    if len(held.paid) > 1:
        _paid(console, held)
    _failed(console, held)
    _slowest(console, held.slowest)
    _batches(console, held)
    console.print(f"\n{held.repeated:,} finished calls were made again.", highlight=False)


def export(path: Path, into: Path) -> int:
    """Write the journal as Parquet; returns how many calls that are."""
    return exported(path, into)


def _asked(console: Console, held: Summary) -> None:
    rows = [
        (one.engine, f"{one.calls:,}", f"{one.prompt_tokens:,}", f"{one.completion_tokens:,}", _usd(one.usd),
         _time(one.seconds), f"{one.failures:,}")
        for one in held.asked
    ]  # fmt: skip
    columns = ("calls", "prompt tokens", "completion tokens", "USD", "model time", "failures")
    console.print(_table("engine", columns, rows))


def _paid(console: Console, held: Summary) -> None:
    rows = [(one.run or "(not noted)", f"{one.calls:,}", f"{one.tokens:,}", _usd(one.usd)) for one in held.paid]
    console.print("\n[bold]Who paid[/bold]")
    console.print(_table("run", ("calls", "tokens", "USD"), rows))


def _failed(console: Console, held: Summary) -> None:
    if held.failed:
        console.print("\n[bold]What could not be answered[/bold]")
    for one in held.failed:
        console.print(f"  {one.times:>7,}  {one.error}", markup=False, highlight=False)
    if held.retried:
        console.print("\n[bold]What passed, and the time it cost[/bold]")
    for retried in held.retried:
        line = f"  {retried.times:>7,}  {retried.error}, {_time(retried.seconds)}  ({retried.engine})"
        console.print(line, markup=False, highlight=False)


def _slowest(console: Console, calls: list[Slow]) -> None:
    if calls:
        console.print("\n[bold]The slowest calls[/bold]")
    for call in calls:
        console.print(
            f"  {call.seconds:>7.1f} s  {one_line(call.prompt, LONGEST)}  {call.key}", markup=False, highlight=False
        )


def _batches(console: Console, held: Summary) -> None:
    if held.batches:
        console.print("\n[bold]Batches whose answers are still to be fetched[/bold]")
    for batch in held.batches:
        name = batch.batch_id or "(not yet confirmed by the server)"
        console.print(f"  {name}  {batch.calls:,} calls  {batch.engine}", markup=False, highlight=False)


def _table(first: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _usd(amount: float) -> str:
    return f"{amount:.4f}" if 0 < amount < 1 else f"{amount:,.2f}"


def _time(seconds: float) -> str:
    """As a person says it: 41.5 s, 12 min, 3.4 h."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
