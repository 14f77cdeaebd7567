"""What `tuneworks export` prints: what was written, what was set aside and why, and how to start."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tuneworks.pipelines.exports.target import Exported


def show(console: Console, written: Sequence[Exported], into: Path) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("dataset")
    table.add_column("split")
    table.add_column("rows", justify="right")
    table.add_column("file")
    for one in written:
        file = str(one.path.relative_to(into.resolve())) if one.path else "none, for no row is left"
        table.add_row(one.configuration, one.split, f"{one.rows:,}", file)
    console.print(table)
    for one in written:
        for reason, count in one.set_aside.items():
            console.print(f"{one.configuration} {one.split}: {count:,} set aside because {reason}", highlight=False)
    starts = list(dict.fromkeys(one.start for one in written if one.start))
    console.print(f"\nWrote {into}." + (" Start there with:" if starts else ""), highlight=False, markup=False)
    for start in starts:
        console.print(f"  {start}", highlight=False, markup=False)
