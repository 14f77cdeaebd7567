"""Histograms as inline SVG: what stayed filled, what went as a line over it, each in shares of its own number."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tuneworks.pipelines.report.html import Html, el, short

Numbers = npt.NDArray[np.float64]

WIDTH, HEIGHT = 340, 180
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 10, 26
BINS = 18
"""About so many; their width is a round number."""

FEWEST = 5
"""Values fewer than these are told in words: a shape of them would mean nothing."""

TAIL = 0.98
"""The quantile past which values share the last bin."""

ROOM_FOR_MORE = 0.74
"""Up to where labels stand when the last one tells what the last bin begins with."""


@dataclass(frozen=True, slots=True)
class Group:
    """Values that are drawn together: the first group filled, the second as a line."""

    name: str
    values: pl.Series

    def numbers(self) -> Numbers:
        held = self.values.drop_nulls().cast(pl.Float64)
        return held.filter(held.is_finite()).to_numpy()


@dataclass(frozen=True, slots=True)
class Bins:
    edges: Numbers
    log: bool
    more: bool
    """Whether the last bin holds all that is larger."""

    def shares(self, values: Numbers) -> Numbers:
        inside = np.clip(values, self.edges[0], np.nextafter(self.edges[-1], self.edges[0]))
        return np.histogram(inside, self.edges)[0] / max(len(values), 1)

    def place(self, value: float) -> float:
        """From 0, the left end, to 1."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        if self.log:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return (value - low) / (high - low)


def histogram(title: str, groups: list[Group], whole: bool = False, log: bool = False) -> Html | None:
    """A figure, or nothing where no group has enough values. `whole` numbers get bins of whole numbers."""
    numbers = [(group.name, group.numbers()) for group in groups]
    drawn = [(name, values) for name, values in numbers if len(values) >= FEWEST]
    if not drawn:
        return None
    bins = binned(np.concatenate([values for _, values in drawn]), whole, log)
    shares = {name: bins.shares(values) for name, values in drawn}
    top = _round_up(max(float(share.max()) for share in shares.values()))
    first = groups[0].name
    fills = [_bars(s, bins, top) if name == first else _outline(s, bins, top) for name, s in shares.items()]
    told = "; ".join(_told(name, values) for name, values in numbers if len(values))
    picture = el(
        "svg", *_scale(top), *fills, *_axis(bins),
        viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{title}: {told}", class_="chart",
    )  # fmt: skip
    legend = [
        el("li", el("span", class_=f"swatch {'kept' if name == first else 'line'}"), _told(name, values))
        for name, values in numbers
        if len(values)
    ]
    return el("figure", el("figcaption", title), picture, el("ul", *legend, class_="legend"))


def _told(name: str, values: Numbers) -> str:
    few = ", too few to draw" if len(values) < FEWEST else ""
    return f"{name}: {len(values):,}, median {figure(float(np.median(values)))}{few}"


def binned(values: Numbers, whole: bool, log: bool) -> Bins:
    """Bins of one round width from the smallest value to the quantile TAIL; `log` bins of one ratio."""
    low, high = float(values.min()), float(values.max())
    most = float(np.quantile(values, TAIL))
    if log and low > 0 and high / low > 10:
        low_tens, high_tens = math.floor(math.log10(low) * 4) / 4, math.log10(max(most, low * 10))
        count = math.ceil((high_tens - low_tens) * 8)
        edges = 10.0 ** (low_tens + np.arange(count + 1) / 8)
        return Bins(edges, True, high > float(edges[-1]))
    step = round_width((most - low) / BINS)
    step = max(1.0, math.ceil(step)) if whole else step
    first = math.floor(low / step)
    count = max(math.floor(most / step) - first + 1, 2)
    edges = np.asarray((first + np.arange(count + 1)) * step, dtype=np.float64)
    return Bins(edges, False, high >= float(edges[-1]))


def round_width(width: float) -> float:
    """The next larger of 1, 2, 5, 10, 20, ... and their tenths."""
    if width <= 0:
        return 1.0
    tens = 10.0 ** math.floor(math.log10(width))
    return next(tens * digit for digit in (1, 2, 5, 10) if tens * digit >= width * (1 - 1e-9))


def _round_up(share: float) -> float:
    return min(1.0, next(step for step in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0) if step >= share - 1e-9))


def _x(place: float) -> float:
    return LEFT + place * (WIDTH - LEFT - RIGHT)


def _y(share: float, top: float) -> float:
    return HEIGHT - BOTTOM - share / top * (HEIGHT - TOP - BOTTOM)


def _bars(shares: Numbers, bins: Bins, top: float) -> Html:
    bars = []
    for share, left, right in zip(shares, bins.edges[:-1], bins.edges[1:], strict=True):
        x, end, y = _x(bins.place(left)), _x(bins.place(right)), _y(share, top)
        title = el("title", f"{figure(left)} to {figure(right)}: {share:.1%}")
        bars.append(el("rect", title, x=x, y=y, width=max(end - x - 0.8, 0.4), height=HEIGHT - BOTTOM - y))
    return el("g", *bars, class_="kept")


def _outline(shares: Numbers, bins: Bins, top: float) -> Html:
    path = [f"M{short(_x(0))},{short(_y(0, top))}"]
    for share, right in zip(shares, bins.edges[1:], strict=True):
        path.append(f"V{short(_y(share, top))}H{short(_x(bins.place(right)))}")
    return el("path", d="".join([*path, f"V{short(_y(0, top))}"]), class_="line")


def _scale(top: float) -> list[Html]:
    lines = []
    for share in (0.0, top / 2, top):
        y = _y(share, top)
        lines += [
            el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"),
            el("text", f"{share * 100:.3g}%", x=LEFT - 5, y=y + 4, text_anchor="end"),
        ]
    return lines


def _axis(bins: Bins) -> list[Html]:
    """Labels of round values; where the last bin holds all that is larger, what it begins with."""
    marks = [(bins.place(value), figure(value)) for value in ticks_of(bins)]
    if bins.more:
        marks = [(place, shown) for place, shown in marks if place < ROOM_FOR_MORE]
        marks.append((1.0, f"{figure(float(f'{bins.edges[-2]:.2g}') if bins.log else float(bins.edges[-2]))} or more"))
    return [
        el("text", shown, x=_x(place), y=HEIGHT - BOTTOM + 16, text_anchor="end" if place > 0.95 else "middle")
        for place, shown in marks
    ]


def ticks_of(bins: Bins) -> list[float]:
    """About five round values; of a logarithmic axis 1, 3, 10, 30, ..."""
    low, high = float(bins.edges[0]), float(bins.edges[-1])
    if bins.log:
        every = [10.0**power * digit for power in range(-6, 9) for digit in (1, 2, 5)]
        inside = [value for value in every if low * (1 - 1e-9) <= value <= high]
        return inside if len(inside) <= 6 else [value for value in inside if f"{value:e}"[0] == "1"]
    step = round_width((high - low) / 6)
    first = math.ceil(low / step - 1e-9)
    return [value for at in range(8) if (value := (first + at) * step) <= high * (1 + 1e-9)]


def figure(number: float) -> str:
    """A number as a person writes it: 1,200 and 12 and 1.35 and 0.042."""
    if number == round(number) and abs(number) < 1e15:
        return f"{number:,.0f}"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
