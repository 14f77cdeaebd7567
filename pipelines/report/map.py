"""The map: what is alike lies near each other, sources in colours, what was rejected as rings."""

import base64
import json

import numpy as np
import numpy.typing as npt
import polars as pl

from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.embedded import Placed, placed
from tuneworks.pipelines.report.html import Html, el, note, section
from tuneworks.pipelines.report.sources import colours

FULL = 65_535
"""Places are whole numbers from 0 to this."""

TITLE = "A map of what is asked"


def atlas(run: Contents, gone: pl.DataFrame) -> Html:
    made = placed(run)
    if isinstance(made, str):
        return section("map", TITLE, note(made))
    records = gone.filter(pl.col("part") == "record").unique("id", keep="first", maintain_order=True)
    rows = made.rows.join(records.select("id", "stage"), on="id", how="left", maintain_order="left")
    names = [name for name in colours(list(run.written.get("sources") or {}), {}) if name]
    names += [name for name in rows["source"].unique().sort() if name not in names]
    canvas = el(
        "canvas", "A map of records; with JavaScript it is drawn here.", id="map-canvas", tabindex="0", role="img",
        aria_label="Map of records by likeness. Arrow keys go from dot to dot.",
    )  # fmt: skip
    tip = el("div", id="map-tip", role="status", aria_live="polite", hidden=True)
    held = el("script", _data(rows, made, names), type="application/json", id="map-data")
    hint = note("Point at a dot, tap it, or go by arrow keys, to read what is asked. Click to keep the text open.")
    plain = el("noscript", note("The map is drawn by a script, which this browser does not run."))
    legend = _legend(rows, names)
    return section("map", TITLE, _told(rows, made), legend, el("div", canvas, tip, class_="map"), hint, plain, held)


def _told(rows: pl.DataFrame, made: Placed) -> Html:
    many = f"{rows.height:,} of {made.of:,} records, drawn by the run's seed" if rows.height < made.of else (
        f"All {rows.height:,} records")  # fmt: skip
    return note(f"{many}: {made.how}. Near each other is alike; the axes mean nothing, nor does the size of a gap.")


def _legend(rows: pl.DataFrame, names: list[str]) -> Html:
    """Switches for each source, and for what was rejected."""
    counts = dict(rows["source"].value_counts().iter_rows())
    number = colours(names, {})
    entries = [
        _switch(f"source-{at}", f"source{number[name]}", f"{name} ({counts[name]:,})")
        for at, name in enumerate(names)
        if name in counts
    ]
    stays = rows["stage"].null_count()
    entries += [_switch("kept", "dot", f"kept ({stays:,})")]
    if stays < rows.height:
        entries.append(_switch("gone", "ring", f"rejected ({rows.height - stays:,})"))
    return el("ul", *entries, class_="legend switches", id="map-legend")


def _switch(name: str, kind: str, label: str) -> Html:
    box = el("input", type="checkbox", checked=True, data_shows=name)
    return el("li", el("label", box, el("span", class_=f"swatch {kind}"), label))


def _data(rows: pl.DataFrame, made: Placed, names: list[str]) -> Html:
    order = {name: at for at, name in enumerate(names)}
    number = colours(names, {})
    stages = sorted(rows["stage"].drop_nulls().unique())
    fate = [stages.index(stage) + 1 if stage is not None else 0 for stage in rows["stage"]]
    content = {
        "x": _packed(np.round(made.places[:, 0] * FULL).astype("<u2")),
        "y": _packed(np.round(made.places[:, 1] * FULL).astype("<u2")),
        "source": _packed(np.array([order[name] for name in rows["source"]], dtype="<u2")),
        "fate": _packed(np.array(fate, dtype="<u2")),
        "names": names,
        "colours": [number[name] for name in names],
        "stages": stages,
        "ids": rows["id"].to_list(),
        "texts": rows["text"].to_list(),
    }
    return in_script(content)


def in_script(content: object) -> Html:
    """JSON that can stand in a script element: nothing in it ends the element or opens a comment."""
    return Html(json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _packed(numbers: npt.NDArray[np.uint16]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
