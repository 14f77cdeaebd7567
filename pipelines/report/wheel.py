"""The wheel of verbs and objects: what instructions ask for, as figure 3 of Self-Instruct (arXiv:2212.10560) shows it.

The inner ring has the most common root verbs, the outer one the most common objects of each. Chinese instructions have
a wheel of their own.
"""

import math
from dataclasses import dataclass

import polars as pl

from tuneworks.pipelines.report.features import MOST_READ, Features
from tuneworks.pipelines.report.html import Html, el, note, section, short

VERBS, OBJECTS = 20, 4
"""As many as the paper's figure has."""

SIZE = 520
HOLE, MIDDLE, RIM = 46.0, 136.0, 256.0
"""Radii: of the hole, between the rings, of the wheel."""

LARGEST, SMALLEST = 12.5, 8.0
"""Height of a label, in the picture's units: as the sector has room, and none where it has less."""

LETTER = 0.54
"""Width of a letter, in heights."""

HAN = r"\p{Han}"


@dataclass(frozen=True, slots=True)
class Verb:
    name: str
    count: int
    """With one of its objects that are shown."""
    objects: list[tuple[str, int]]


def wheel(seen: Features) -> Html:
    asked = seen.kept_read.filter(pl.col("verb").is_not_null())
    chinese = asked.filter(pl.col("verb").str.contains(HAN))
    english = asked.filter(~pl.col("verb").str.contains(HAN))
    wheels = [_wheel("English", english), _wheel("Chinese", chinese)]
    if not any(wheels):
        return section("wheel", "What is asked", note("There is no instruction with a verb and an object yet."))
    every = "" if seen.kept.height <= MOST_READ else f", evenly drawn from {seen.kept.height:,}"
    read = note(
        f"Root verb and object of {seen.kept_read.height:,} instructions that are left{every}, read by rules without a "
        "parser; a question counts by its question word. Inner ring: the "
        f"{VERBS} most common verbs. Outer ring: the {OBJECTS} most common objects of each."
    )
    return section("wheel", "What is asked", read, el("div", *wheels, class_="wheels"))


def _wheel(language: str, asked: pl.DataFrame) -> Html | None:
    with_object = asked.filter(pl.col("object") != "")
    verbs = most_common(with_object)
    if not verbs:
        return None
    shown = sum(verb.count for verb in verbs)
    caption = (
        f"{language}: a verb or question word in {asked.height:,} instructions, with an object in "
        f"{with_object.height:,}; the wheel holds {shown:,} of these ({shown / with_object.height:.0%})."
    )
    told = "; ".join(f"{verb.name}: {', '.join(name for name, _ in verb.objects)}" for verb in verbs[:5])
    half = SIZE / 2
    picture = el(
        "svg", el("g", *_sectors(verbs, shown), transform=f"translate({short(half)},{short(half)})"),
        viewBox=f"0 0 {SIZE} {SIZE}", role="img", aria_label=f"Verbs and objects, {language}: {told}", class_="wheel",
    )  # fmt: skip
    return el("figure", picture, _listed(verbs), el("figcaption", caption), class_="wheel-and-list")


def most_common(asked: pl.DataFrame) -> list[Verb]:
    """The most common verbs, each with its most common objects; of equals the first in the alphabet."""
    verbs = asked.group_by("verb").len().sort("len", "verb", descending=[True, False])["verb"][:VERBS].to_list()
    pairs = asked.group_by("verb", "object").len().sort("len", "object", descending=[True, False])
    made = []
    for verb in verbs:
        objects = list(pairs.filter(pl.col("verb") == verb).select("object", "len").head(OBJECTS).iter_rows())
        made.append(Verb(verb, sum(n for _, n in objects), objects))
    return sorted(made, key=lambda verb: (-verb.count, verb.name))


def _sectors(verbs: list[Verb], total: int) -> list[Html]:
    drawn, at = [], 0.0
    for number, verb in enumerate(verbs):
        hue = f"--hue:{round(number * 360 / max(len(verbs), 1))}"
        end = at + verb.count / total
        drawn.append(_sector(HOLE, MIDDLE, at, end, verb.name, verb.count, f"verb{number % 2}", hue))
        for which, (name, count) in enumerate(verb.objects):
            told = f"{verb.name} {name}"
            kind = f"object{which % 2}"
            drawn.append(_sector(MIDDLE, RIM, at, at + count / total, name, count, kind, hue, told))
            at += count / total
        at = end
    return drawn


def _sector(
    inner: float, outer: float, start: float, end: float, name: str, count: int, kind: str, hue: str, told: str = ""
) -> Html:
    """A part of a ring between two shares of a turn, with its label where there is room for one."""
    title = el("title", f"{told or name}: {count:,}")
    shape = el("path", title, d=_ring(inner, outer, start, end))
    middle = (start + end) / 2
    size = min(LARGEST, (end - start) * 2 * math.pi * (inner + outer) / 2)
    label = _label(inner, outer, middle, name, size) if size >= SMALLEST else None
    return el("g", shape, label, class_=kind, style=hue)


def _ring(inner: float, outer: float, start: float, end: float) -> str:
    end = min(end, start + 0.99999)  # an arc from a point to itself is none
    long = int(end - start > 0.5)
    (x0, y0), (x1, y1) = _point(outer, start), _point(outer, end)
    (x2, y2), (x3, y3) = _point(inner, end), _point(inner, start)
    out, back = f"A{short(outer)},{short(outer)} 0 {long} 1", f"A{short(inner)},{short(inner)} 0 {long} 0"
    return (
        f"M{short(x0)},{short(y0)}{out} {short(x1)},{short(y1)}L{short(x2)},{short(y2)}{back} {short(x3)},{short(y3)}Z"
    )


def _point(radius: float, share: float) -> tuple[float, float]:
    """From the top, clockwise."""
    angle = (share - 0.25) * 2 * math.pi
    return radius * math.cos(angle), radius * math.sin(angle)


def _label(inner: float, outer: float, middle: float, name: str, size: float) -> Html:
    """Along the radius, never upside down, and cut where the ring is too narrow."""
    wide = 2 if any("\u4e00" <= c <= "\u9fff" for c in name) else 1
    most = int((outer - inner - 8) / (LETTER * wide * size))
    shown = name if len(name) <= most else f"{name[: most - 1]}…"
    turn = middle * 360 - 90
    left = 90 < turn < 270
    x, y = _point((inner + outer) / 2, middle)
    place = f"translate({short(x)},{short(y)}) rotate({short(turn - 180 if left else turn)})"
    return el("text", shown, transform=place, text_anchor="middle", dy="0.35em", font_size=size, aria_hidden="true")


def _listed(verbs: list[Verb]) -> Html:
    """The same in words: what is too small to read in the wheel."""
    lines = [
        el("li", el("b", verb.name), f" {verb.count:,}: ", ", ".join(f"{name} {n:,}" for name, n in verb.objects))
        for verb in verbs
    ]
    return el("details", el("summary", "The same in words"), el("ol", *lines))
