"""How two releases differ, on one page of the terminal."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tuneworks.pipelines.release.difference import Compared, Difference
from tuneworks.pipelines.release.recipes import Change

CHANGES_SHOWN = 20


def show(console: Console, found: Difference) -> None:
    for side, place in (("A", found.a), ("B", found.b)):
        console.print(f"{side}: {place}", markup=False, highlight=False, soft_wrap=True)
    if found.equal:
        console.print("\nThe same rows in the same splits" + _of_recipes(found), highlight=False)
        return
    console.print()
    console.print(_rows(found))
    for compared in found.configurations:
        if not compared.equal:
            _details(console, compared)
    _recipe(console, found)
    _shifts(console, found)


def _of_recipes(found: Difference) -> str:
    return ", made by the same recipe." if not found.without_recipe else "; no recipe to compare."


def _rows(found: Difference) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("dataset")
    for name in ("rows of A", "rows of B", "the same", "removed", "added", "changed", "moved"):
        table.add_column(name, justify="right")
    for c in found.configurations:
        counts = (
            *c.rows,
            c.same,
            *(sum(some.values()) for some in (c.removed, c.added)),
            c.changed,
            sum(c.moved.values()),
        )
        table.add_row(escape(c.configuration), *(f"{count:,}" for count in counts))
    return table


def _details(console: Console, compared: Compared) -> None:
    console.print(f"\n[bold]{escape(compared.configuration)}[/bold]  [dim]rows told by {', '.join(compared.key)}[/dim]")
    lines = {
        "removed": _counts(compared.removed),
        "added": _counts(compared.added),
        "changed": _counts(compared.columns),
        "moved": _counts({f"{before} to {after}": count for (before, after), count in compared.moved.items()}),
        "columns gone": ", ".join(compared.columns_gone),
        "columns new": ", ".join(compared.columns_new),
    }
    for what, line in lines.items():
        if line:
            console.print(f"  {what:<13} {line}", markup=False, highlight=False)
            for excerpt in compared.examples.get(what, ()):
                console.print(f"  {'':<13} {excerpt.id}  {excerpt.text}", style="dim", markup=False, highlight=False)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _recipe(console: Console, found: Difference) -> None:
    if found.without_recipe:
        places = " and ".join(found.without_recipe)
        console.print(f"\nRecipes were not compared: none lies beside {places}.", highlight=False, markup=False)
    if found.recipe:
        console.print("\n[bold]Recipe[/bold]")
    for change in found.recipe[:CHANGES_SHOWN]:
        console.print(f"  {_change(change)}", markup=False, highlight=False)
    if len(found.recipe) > CHANGES_SHOWN:
        console.print(f"  and {len(found.recipe) - CHANGES_SHOWN:,} other keys", style="dim", highlight=False)


def _change(change: Change) -> str:
    if change.before is None:
        return f"{change.key}: {change.after} is new"
    if change.after is None:
        return f"{change.key}: {change.before} is gone"
    return f"{change.key}: {change.before} -> {change.after}"


def _shifts(console: Console, found: Difference) -> None:
    shifted = [shift for shift in found.shifts if shift.before != shift.after]
    if not shifted:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("shifted")
    table.add_column("")
    for name in ("A", "B"):
        table.add_column(name, justify="right")
    for shift in shifted:
        table.add_row(escape(shift.configuration), escape(shift.measure), _figure(shift.before), _figure(shift.after))
    console.print()
    console.print(table)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"
