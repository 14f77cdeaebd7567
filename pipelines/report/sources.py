"""Sources: what each has, what it gave to the mixture and by which rate, and what of it is left."""

import json
import math
from collections.abc import Mapping
from typing import Any

import polars as pl
import yaml

from tuneworks.pipelines.mixing.mixture import MIXTURE
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.reading import Made
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.features import Features
from tuneworks.pipelines.report.html import Content, Html, el, meter, note, section, table
from tuneworks.pipelines.stages import RECORDS, rows_in

MIXED = "mix"
"""Title of the step that puts the sources together."""


def sources(run: Contents, seen: Features) -> Html:
    title = "Sources and the mixture"
    mixed = next((step for step in run.steps if step.title == MIXED), None)
    names = list(run.written.get("sources") or {})
    left = dict(seen.kept["source"].value_counts().iter_rows())
    if mixed is None:
        return section("sources", title, _list(names), note("The sources are not mixed yet."))
    held = {before.name: rows_in(before / RECORDS) for before in mixed.takes}
    given = dict(
        pl.scan_parquet(mixed.folder / RECORDS).group_by("source").len().collect().select("source", "len").iter_rows()
    )
    told = _noted(mixed)
    rows = [_row(name, rows, told.get(name, {}), given, left) for name, rows in zip(names, held.values(), strict=False)]
    header = ("source", "records", *(("counts as", "rate") if told else ()), "given to the mixture", "left at the end")
    return section("sources", title, _bar(names, left), table(header, rows, _rule(run)))


def _noted(mixed: Made) -> dict[str, Mapping[str, Any]]:
    path = mixed.folder / MIXTURE
    if not path.is_file():
        return {}
    return {one["source"]: one for one in json.loads(path.read_text(encoding="utf-8"))["sources"]}


def _row(
    name: str, rows: int, told: Mapping[str, Any], given: Mapping[str, int], left: Mapping[str, int]
) -> tuple[Content, ...]:
    share = f" ({given.get(name, 0) / rows:.0%})" if rows else ""
    rule = (f"{told['weighs']:,.0f}", f"{told['rate']:.1%}{' fixed' if told['fixed'] else ''}") if told else ()
    return name, f"{rows:,}", *rule, f"{given.get(name, 0):,}{share}", f"{left.get(name, 0):,}"


def _rule(run: Contents) -> str:
    """What the recipe says of the mixture, as far as it differs from nothing."""
    mix = run.written.get("mix") or {}
    plain = Mix().model_dump(mode="json")
    held = {name: value for name, value in mix.items() if value != plain.get(name)}
    flow = yaml.safe_dump({"mix": held}, default_flow_style=True, sort_keys=False, width=math.inf)
    return str(flow).strip()[1:-1] if held else "All records of all sources."


def _bar(names: list[str], left: Mapping[str, int]) -> Html | None:
    """What is left, shared out by source."""
    total = sum(left.values())
    if not total:
        return None
    order = colours(names, left)
    parts = [(left.get(name, 0) / total, f"source{at}") for name, at in order.items()]
    entries = [
        el("li", el("span", class_=f"swatch source{at}"), f"{name} {left.get(name, 0) / total:.0%}")
        for name, at in order.items()
    ]
    told = ", ".join(f"{name} {left.get(name, 0):,}" for name in order)
    bar = meter(*parts, label=f"Records left by source: {told}")
    return el("div", bar, el("ul", *entries, class_="legend"), class_="mixture")


COLOURS = 8
"""As many sources have a colour of their own; further ones share the last."""


def colours(names: list[str], held: Mapping[str, int]) -> dict[str, int]:
    """The number of each source's colour: by the recipe's order, then by the alphabet."""
    every = [*names, *sorted(name for name in held if name not in names)]
    return {name: min(at, COLOURS - 1) for at, name in enumerate(dict.fromkeys(every))}


def _list(names: list[str]) -> Html:
    return el("p", f"The recipe names: {', '.join(names) or 'none'}.")
