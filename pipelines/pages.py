"""What the command line prints: one function a page."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.plugin import Plugin
from tuneworks.pipelines import catalog
from tuneworks.pipelines.dataset.sides import HELD_OUT
from tuneworks.pipelines.reading import (
    Made,
    dataset_rows,
    models_trained,
    reasons,
    steps_made,
    survivals,
)
from tuneworks.pipelines.report import REPORT
from tuneworks.pipelines.run import Built
from tuneworks.pipelines.run_folder import DATASET

REASONS_SHOWN = 3
SAMPLE_SEED = 0


def built(console: Console, result: Built) -> None:
    """The end of a build: what is in the dataset, and what it cost."""
    _rows_table(console, result.rows)
    cost = f", for {result.usd:.2f} USD" if result.usd else ""
    console.print(f"{result.asked} calls asked{cost}, {result.replayed} taken from the journal.", highlight=False)


def where_to_look(console: Console, folder: Path) -> None:
    console.print("\nWhere to look:")
    lines = [
        (f"tuneworks look {folder}", "the funnel, why records went, sample rows"),
        (f"{folder / REPORT}", "the report: all there is to see, in one page"),
        (f"{folder / DATASET}", "Parquet by configuration; datasets.load_dataset reads it"),
        *((str(model), "a trained model, its metrics and samples") for model in models_trained(folder)),
    ]
    width = max(len(place) for place, _ in lines)
    for place, what in lines:
        console.print(f"  {place:<{width}}  {what}", highlight=False, markup=False)


def look(console: Console, folder: Path, samples: int) -> None:
    made = steps_made(folder)
    _funnel(console, made)
    _reasons(console, made)
    _survivals(console, made)
    rows = dataset_rows(folder)
    if not rows:
        console.print("\nNo dataset yet: the build has not come to its end.")
        return
    console.print()
    _rows_table(console, rows)
    for name in rows:
        _samples(console, folder, name, samples)


def kinds(console: Console, kind: str | None) -> None:
    if kind is None:
        for name, plugins in catalog.families():
            console.print(f"\n[bold]{name}[/bold]")
            for plugin in plugins.values():
                console.print(f"  {plugin.kind:<18} {_summary(plugin)}", highlight=False, markup=False)
        console.print("\nOptions of one: tuneworks kinds NAME", style="dim")
        return
    found = [plugins[kind] for _, plugins in catalog.families() if kind in plugins]
    if not found:
        raise RecipeError(f"there is no kind {kind!r}; {catalog.nearest(kind, catalog.kinds(*catalog.BUILT_IN))}")
    for plugin in found:
        _options(console, kind, plugin)


def _options(console: Console, kind: str, plugin: type[Plugin]) -> None:
    console.print(f"[bold]{kind}[/bold] ({plugin.family.removesuffix('s')})\n{_summary(plugin)}\n", highlight=False)
    for preset, options in plugin.presets.items():
        held = ", ".join(f"{name}: {json.dumps(value)}" for name, value in options.items())
        console.print(f"  [bold]preset: {preset}[/bold]  [dim]{escape(held)}[/dim]", highlight=False)
    for name, option in plugin.model_fields.items():
        default = "needed" if option.is_required() else f"default {_default(option)}"
        console.print(f"  [bold]{name}[/bold]  [dim]{escape(default)}[/dim]", highlight=False)
        console.print(f"      {' '.join((option.description or '').split())}", markup=False, highlight=False)


def _default(option: FieldInfo) -> object:
    value: object = option.get_default(call_default_factory=True)
    return value.kind if isinstance(value, Plugin) else repr(value)


def _summary(plugin: type[Plugin]) -> str:
    return " ".join((inspect.getdoc(plugin) or "").split("\n\n")[0].split())


def _funnel(console: Console, made: list[Made]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    for name in ("taken", "kept", "rejected", "set aside", "seconds"):
        table.add_column(name, justify="right")
    for step in made:
        c = step.counts
        table.add_row(step.title, *map(str, (c.taken, c.kept, c.rejected, c.aside, c.seconds)))
    console.print(table)


def _reasons(console: Console, made: list[Made]) -> None:
    for step in made:
        why = reasons(step)
        if why:
            console.print(f"\n[bold]Why {step.title} rejected or set aside[/bold]")
        for reason, count in why[:REASONS_SHOWN]:
            console.print(f"  {count:>5}  {reason}", markup=False, highlight=False)
        if len(why) > REASONS_SHOWN:
            console.print(f"         and {len(why) - REASONS_SHOWN} other reasons", style="dim")


def _survivals(console: Console, made: list[Made]) -> None:
    for step in made:
        rows = survivals(step)
        if not rows:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("operator")
        for name in ("round", "made", "kept", "survival"):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(row.operator, str(row.round), str(row.made), str(row.kept), f"{row.kept / row.made:.0%}")
        console.print(f"\n[bold]What the operators of {step.title} made[/bold]")
        console.print(table)


def _rows_table(console: Console, rows: Mapping[str, Mapping[str, int]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("dataset")
    splits = list(dict.fromkeys(split for counts in rows.values() for split in counts))
    shown = [split for split in splits if any(counts.get(split) for counts in rows.values())]
    for split in shown:
        table.add_column(f"{split} rows", justify="right")
    for name, counts in rows.items():
        table.add_row(name, *(str(counts.get(split, "")) for split in shown))
    console.print(table)


def _samples(console: Console, folder: Path, name: str, count: int) -> None:
    paths = sorted((folder / DATASET / name).glob("*.parquet"))
    path = next((path for path in paths if path.stem not in HELD_OUT), None)
    if count == 0 or path is None:
        return
    table = pl.read_parquet(path)
    for row in table.sample(min(count, table.height), seed=SAMPLE_SEED).iter_rows(named=True):
        console.print(f"\n[bold]{name}[/bold]  [dim]tuneworks why {folder} {row['id']}[/dim]", highlight=False)
        for column, value in row.items():
            if column != "id":
                _value(console, column, value)


def _value(console: Console, column: str, value: object) -> None:
    """Turns and texts as they are read; of several answers, or steps, each with its number."""
    items = value if isinstance(value, list) else []
    if items and all(isinstance(item, dict) and "role" in item for item in items):
        for message in items:
            said(console, f"{column} ({message['role']})", message["content"])
    elif items and all(isinstance(item, (list, str)) for item in items):
        for at, item in enumerate(items, 1):
            said(console, f"{column} {at}", item) if isinstance(item, str) else _value(console, f"{column} {at}", item)
    else:
        console.print(f"{column}: {value}", style="dim", markup=False, highlight=False)


def said(console: Console, who: str, text: str) -> None:
    console.print(f"[cyan]{escape(who)}[/cyan]", highlight=False)
    console.print("  " + text.replace("\n", "\n  "), markup=False, highlight=False)
