"""HTML and SVG as text: elements are made by `el`, and all that is not markup already is escaped there."""

from collections.abc import Sequence
from html import escape
from typing import TypeAlias


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Content: TypeAlias = "str | int | None"
"""A child of an element: text is escaped unless it is Html, None is left out."""

Value: TypeAlias = "str | int | float | bool | None"

VOID = frozenset({"meta", "link", "br", "input"})


def el(element: str, *children: Content, **attributes: Value) -> Html:
    """An element. Of a name such as `class_` the last underscore is dropped, others become hyphens, but for `viewBox`
    and its like, which have none. An attribute of True stands without a value; None and False are left out."""
    held = "".join(_attribute(name, value) for name, value in attributes.items() if value not in (None, False))
    inside = joined(*children)
    return Html(f"<{element}{held}>" if element in VOID else f"<{element}{held}>{inside}</{element}>")


def joined(*children: Content) -> Html:
    return Html("".join(text(child) for child in children if child is not None))


def text(content: str | int) -> Html:
    return content if isinstance(content, Html) else Html(escape(str(content)))


def _attribute(name: str, value: Value) -> str:
    plain = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {plain}"
    shown = short(value) if isinstance(value, float) else str(value)
    return f' {plain}="{escape(shown)}"'


def short(number: float) -> str:
    """A coordinate with two digits after the point at most."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def table(header: tuple[str, ...], rows: Sequence[Sequence[Content]], caption: str = "") -> Html:
    """A table in a box of its own, which scrolls where the page is narrow. All columns but the first are numbers."""
    head = el("tr", *(el("th", name, scope="col", class_="number" if at else None) for at, name in enumerate(header)))
    body = [
        el("tr", el("th", row[0], scope="row"), *(el("td", cell, class_="number") for cell in row[1:])) for row in rows
    ]
    whole = el("table", el("thead", head), el("tbody", *body))
    box = el("div", whole, class_="scrolls", tabindex="0", role="region", aria_label=caption or header[0])
    return joined(el("p", caption, class_="caption"), box) if caption else box


def section(name: str, title: str, *children: Content) -> Html:
    """A part of the page with its heading; `name` is where links lead."""
    heading = el("h2", title, id=f"{name}-title")
    return el("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def note(*children: Content) -> Html:
    """A sentence beside what is shown: what was counted, what is missing."""
    return el("p", *children, class_="note")


def meter(*parts: tuple[float, str], label: str | None = None) -> Html:
    """A bar as wide as its box, of parts given as (share, class) from the left on: drawn in per cent, so that it never
    scales its height."""
    drawn, at = [], 0.0
    for share, kind in parts:
        drawn.append(el("rect", x=f"{at:.3f}%", width=f"{share * 100:.3f}%", height="100%", class_=kind))
        at += share * 100
    told = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    return el("svg", *drawn, class_="meter", **told)


def counted(number: float, one: str, many: str = "") -> str:
    """1 row, 2,000 rows."""
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"
