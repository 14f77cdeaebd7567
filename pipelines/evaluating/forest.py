"""A forest plot: differences with their intervals, one under the other, against the line of no difference."""

from collections.abc import Sequence

from tuneworks.pipelines.evaluating.differences import Line
from tuneworks.pipelines.evaluating.table import shown_difference, signed
from tuneworks.pipelines.report.histogram import round_width
from tuneworks.pipelines.report.html import Html, el

WIDTH, ROW = 760, 24
LEFT, RIGHT, TOP, BOTTOM = 240, 190, 6, 24
"""Room for names, for numbers, and for the axis below."""

TICKS = 3
"""Round values on the axis to each side of 0, at most."""

CLASSES = {"better": "better", "worse": "worse"}


def forest(title: str, lines: Sequence[Line]) -> Html | None:
    """Lines of one unit on one scale, which has 0 in its middle; nothing where none has an interval."""
    drawn = [line for line in lines if line.difference is not None]
    if not drawn:
        return None
    reach = max(max(abs(d.low), abs(d.high)) for line in drawn if (d := line.difference)) or 1.0
    height = TOP + ROW * len(drawn) + BOTTOM
    rows = [part for at, line in enumerate(drawn) for part in _row(line, TOP + ROW * at + ROW / 2, reach)]
    told = "; ".join(f"{line.name}: {shown_difference(line)}" for line in drawn)
    picture = el(
        "svg", *_axis(drawn[0], reach, height), *rows,
        viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=f"{title}: {told}", class_="forest",
    )  # fmt: skip
    return el("figure", el("figcaption", title), picture)


def _x(value: float, reach: float) -> float:
    middle, half = (LEFT + WIDTH - RIGHT) / 2, (WIDTH - RIGHT - LEFT) / 2 - 8
    return middle + value / reach * half


def _row(line: Line, y: float, reach: float) -> list[Html]:
    apart = line.difference
    assert apart is not None
    kind = CLASSES.get(line.verdict, "open")
    return [
        el("text", line.name, x=LEFT - 12, y=y + 4, text_anchor="end"),
        el("line", x1=_x(apart.low, reach), x2=_x(apart.high, reach), y1=y, y2=y, class_=f"spread {kind}"),
        el("circle", cx=_x(apart.mean, reach), cy=y, r=4.5, class_=kind),
        el("text", shown_difference(line), x=WIDTH - RIGHT + 10, y=y + 4),
    ]


def _axis(line: Line, reach: float, height: int) -> list[Html]:
    step = round_width(reach / TICKS)
    count = int(reach / step)
    marks = []
    for place in range(-count, count + 1):
        x = _x(place * step, reach)
        marks += [
            el("line", x1=x, x2=x, y1=TOP, y2=height - BOTTOM, class_="grid" if place else "zero"),
            el("text", signed(line, place * step) if place else "0", x=x, y=height - 8, text_anchor="middle",
               class_="axis"),
        ]  # fmt: skip
    return marks
