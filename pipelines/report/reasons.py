"""Reasons counted: those alike but for quotations, ids and numbers are one, told with what its numbers range over."""

import re

import polars as pl

from tuneworks.pipelines.report.histogram import figure

NUMBER = r"-?\d+(?:,\d{3})*(?:\.\d+)?"

PLACE = "\ue000"
"""Stands where a number was: a character that no reason has."""


def folded(reason: pl.Expr) -> pl.Expr:
    return quoted(reason).str.replace_all(NUMBER, PLACE)


def quoted(reason: pl.Expr) -> pl.Expr:
    """Without quotations and ids."""
    return reason.str.replace_all(r'"[^"]*"', '"…"').str.replace_all(r"\b[0-9a-f]{16}\b", "…")


def told(gone: pl.DataFrame) -> list[tuple[str, str, int]]:
    """The part, the reason with what its numbers range over, and how often; the most frequent first."""
    counts = gone.group_by("part", "folded").len().sort("len", "part", "folded", descending=[True, False, False])
    ranges = _ranges(gone)
    return [(part, _filled(reason, ranges.get((part, reason), [])), n) for part, reason, n in counts.iter_rows()]


def _ranges(gone: pl.DataFrame) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """By part and folded reason, the smallest and the largest number at each of its places."""
    plain = quoted(pl.col("reason")).str.extract_all(NUMBER)
    numbers = gone.select("part", "folded", number=plain, at=pl.int_ranges(plain.list.len())).explode("number", "at")
    value = pl.col("number").str.replace_all(",", "").cast(pl.Float64)
    ends = numbers.drop_nulls().group_by("part", "folded", "at").agg(low=value.min(), high=value.max())
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for part, reason, _, low, high in ends.sort("part", "folded", "at").iter_rows():
        found.setdefault((part, reason), []).append((low, high))
    return found


def _filled(reason: str, ranges: list[tuple[float, float]]) -> str:
    shown = iter(ranges)
    return re.sub(PLACE, lambda _: _range(*next(shown)), reason)


def _range(low: float, high: float) -> str:
    if low == high:
        return figure(low)
    return f"{figure(low)}{'–' if low >= 0 else ' to '}{figure(high)}"
