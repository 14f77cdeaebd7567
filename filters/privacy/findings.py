"""Findings: what a search meets in the texts of a record, and where; written down only with the value masked."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import polars as pl

Span = tuple[int, int]
"""Where a finding begins, and where it ends."""


class Finding(NamedTuple):
    kind: str
    start: int
    shown: str
    """What it is with its article, and the value masked."""


Search = Callable[[str], Iterable[Finding]]

Of = Literal["prompt", "answer", "both"]

_FOUND = {"row": pl.UInt32, "part": pl.String, "kind": pl.String, "count": pl.UInt32, "first": pl.String}


def found(table: pl.DataFrame, worth: pl.Expr, search: Search) -> pl.Series:
    """What `search` finds in all messages and all answers of each record: a list of structs that say of each text and
    kind the `part` it is in (prompt or answer), the `count`, and the `first` one with its place; null where there is
    nothing. `worth`, on the column `text`, says cheaply which texts may hold anything; only those are searched."""
    searched = _texts(table).filter(pl.col("text").is_not_null() & worth)
    lines = [
        (row, *line) for row, part, place, text in searched.iter_rows() for line in _summed(part, place, search(text))
    ]
    flat = pl.DataFrame(lines, schema=_FOUND, orient="row")
    lists = flat.group_by("row", maintain_order=True).agg(found=pl.struct(pl.exclude("row")))
    rows = pl.DataFrame({"row": pl.int_range(table.height, dtype=pl.UInt32, eager=True)})
    return rows.join(lists, on="row", how="left", maintain_order="left")["found"]


def _texts(table: pl.DataFrame) -> pl.DataFrame:
    """Every text with its row, its part, and the words for its place, a record's own in their order."""
    prompt = (
        pl.when(pl.col("many") == 1)
        .then(pl.lit("the prompt"))
        .otherwise(pl.format("message {} of the prompt", pl.col("number")))
    )
    answer = pl.when(pl.col("many") == 1).then(pl.lit("the answer")).otherwise(pl.format("answer {}", pl.col("number")))
    parts = (("prompt", "prompt", "content", prompt), ("answer", "answers", "text", answer))
    frames = []
    for part, column, field, place in parts:
        texts = table.select(text=pl.col(column).list.eval(pl.element().struct.field(field))).with_row_index("row")
        texts = texts.with_columns(many=pl.col("text").list.len()).filter(pl.col("many") > 0)
        texts = texts.with_columns(number=pl.int_ranges(1, pl.col("many") + 1)).explode("text", "number")
        frames.append(texts.select("row", pl.lit(part).alias("part"), place.alias("place"), "text"))
    return pl.concat(frames)


def _summed(part: str, place: str, findings: Iterable[Finding]) -> list[tuple[str, str, int, str]]:
    inside = sorted(findings, key=lambda finding: finding.start)
    counts = Counter(finding.kind for finding in inside)
    firsts = {finding.kind: finding for finding in reversed(inside)}
    return [(part, kind, count, _said(firsts[kind], place)) for kind, count in counts.items()]


def _said(finding: Finding, place: str) -> str:
    return f"{finding.shown} at character {finding.start} of {place}"


def held(of: Of, kinds: Iterable[str] | None = None) -> pl.Expr:
    """The first finding that counts, and how many more there are, from the column `found`; null where none is."""
    element = pl.element().struct
    counts = pl.lit(True) if of == "both" else element.field("part") == of
    if kinds is not None:
        counts &= element.field("kind").is_in(list(kinds))
    those = pl.col("found").list.eval(pl.element().filter(counts))
    first = those.list.first().struct.field("first")
    more = those.list.eval(element.field("count")).list.sum() - 1
    return pl.when(more > 0).then(pl.format("{}, and {} more", first, more)).otherwise(first)


def masked(value: str) -> str:
    """Three stars and the last two characters."""
    return f"***{value[-2:]}"
