"""Sides: what is trained on and what is held out; no record in one that a record in the other gives away.

Records form a group where they have the same instruction, are nearly the same text, or come from the same record: a
task and its harder versions, a conversation and its beginning. Whole groups go to one side. A record that a model wrote
after seeing several others as examples is no relative of theirs: nothing was copied. A prompt that shows a held-out
record as its example is left out of training, and a copy that a mixture took once more is not held out again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuneworks.factory.dice import Dice
from tuneworks.factory.formats.examples import EXAMPLES
from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.join import self_join
from tuneworks.factory.overlap.tokens import bags_of, shingles
from tuneworks.filters.words import fact, instruction
from tuneworks.pipelines.mixing.options import COPY

NEAR, NGRAM = 0.7, 3
"""Two texts with at least this Jaccard similarity of their word n-grams, of so many words, are nearly the same."""

TRAIN, HELD_OUT = "train", ("test", "validation")
"""Held-out sides in the order in which they are drawn, so that a validation side does not change the test side."""

LEFT_OUT = "left out"
"""Of a record that would be trained on, but shows one that is held out, and of a copy of one that is."""

SIDES = pl.Enum([TRAIN, *HELD_OUT, LEFT_OUT])


def sides(table: pl.LazyFrame, shares: Mapping[str, float], dice: Dice) -> pl.Series:
    """The side of each record, about the wanted share in each. Where there are enough groups, each side has one."""
    ids = table.select("id").collect()["id"]
    drawn = np.zeros(len(ids), dtype=np.uint32)
    wanted = [name for name in HELD_OUT if shares.get(name, 0) > 0]
    order = groups(table) if wanted else []
    dice.random("groups").shuffle(order)
    for at, name in enumerate(wanted):
        if len(order) < 2:
            break
        most = sum(map(len, order)) - (len(wanted) - at)
        chosen = _drawn(order, min(shares[name] * len(ids) + 0.5, most))
        rows = np.concatenate([order[place] for place in chosen])
        drawn[rows] = SIDES.categories.to_list().index(name)
        order = [group for place, group in enumerate(order) if place not in chosen]
    side = pl.Series("side", SIDES.categories, dtype=SIDES).gather(drawn)
    if not wanted:
        return side
    copies = table.select(fact(COPY).is_not_null()).collect().to_series() & (side != TRAIN)
    return side.scatter(pl.concat([shown(table, ids, side), copies.arg_true()]), LEFT_OUT)


def _drawn(order: Sequence[Numbers], wanted: float) -> set[int]:
    """Places of groups in their order, as far as they fit; of the smallest where none does."""
    chosen, rows = set[int](), 0
    for place, group in enumerate(order):
        if rows + len(group) <= wanted:
            chosen.add(place)
            rows += len(group)
    return chosen or {min(range(len(order)), key=lambda place: len(order[place]))}


def shown(table: pl.LazyFrame, ids: pl.Series, side: pl.Series) -> pl.Series:
    """Places of the training records whose prompt shows a held-out record as an example."""
    shows = table.select(fact(EXAMPLES).str.split(" ").alias("shown"), "parents").collect()
    if not shows["shown"].null_count() < len(ids):
        return pl.Series([], dtype=pl.UInt32)
    out = side != TRAIN
    held = pl.concat([ids.filter(out), shows["parents"].filter(out).explode()]).drop_nulls().unique()
    places = shows.with_row_index("at").filter(~out).drop_nulls("shown").explode("shown")
    return places.filter(pl.col("shown").is_in(held.implode()))["at"].unique().sort()


def groups(table: pl.LazyFrame) -> list[Numbers]:
    """The groups, each the places of its records, in the order of their ids, whatever order the records are in."""
    asked = pl.col("prompt").list.eval(
        pl.element().filter(pl.element().struct.field("role") == "user").struct.field("content")
    )
    texts = table.select("id", "parents", instruction=instruction(), asked=asked.list.join("\n")).collect()
    if texts.is_empty():
        return []
    root = _joined(texts.height, [*_related(texts), _near(texts["asked"])])
    order = np.argsort(root, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(root[order])) + 1)
    least = texts.select(pl.col("id").min().over(pl.Series(root))).to_series()
    first = least.gather([int(group[0]) for group in members])
    return [members[at] for at in first.arg_sort()]


def _related(texts: pl.DataFrame) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs that share an instruction, all that is asked, or a record that one of them is or comes from alone."""
    rows = texts.with_row_index("row")
    for name in ("instruction", "asked"):
        yield _with_first(rows.select("row", key=name))
    lone = rows.filter(pl.col("parents").list.len() == 1)
    line = lone.select("row", key=pl.col("parents").list.first())
    yield _with_first(pl.concat([rows.select("row", key="id"), line]).sort("row", maintain_order=True))


def _with_first(keyed: pl.DataFrame) -> tuple[Numbers, Numbers]:
    """Each row and the first one with the same key."""
    both = keyed.with_columns(first=pl.col("row").first().over("key")).filter(pl.col("row") != pl.col("first"))
    return both["row"].to_numpy().astype(np.int64), both["first"].to_numpy().astype(np.int64)


def _near(asked: pl.Series) -> tuple[Numbers, Numbers]:
    """Pairs of nearly the same text. Of copies, which are related anyway, one stands for all."""
    texts = pl.DataFrame({"text": asked}).with_row_index("at").unique("text", keep="first", maintain_order=True)
    pairs = self_join(shingles(bags_of(texts["text"]), NGRAM), "jaccard", NEAR)
    row, other = (texts["at"].gather(pairs[name]).to_numpy().astype(np.int64) for name in ("row", "other"))
    return row, other


def _joined(rows: int, pairs: Sequence[tuple[Numbers, Numbers]]) -> NDArray[Any]:
    """For each row the first of those it is connected with. In whole arrays: each end of a pair takes the smaller of
    both roots, and roots point to their own roots, until nothing changes."""
    one, other = (np.concatenate([pair[at] for pair in pairs]) for at in (0, 1))
    root = np.arange(rows)
    while True:
        least = np.minimum(root[one], root[other])
        new = root.copy()
        np.minimum.at(new, root[one], least)
        np.minimum.at(new, root[other], least)
        while not np.array_equal(new, new[new]):
            new = new[new]
        if np.array_equal(new, root):
            return root
        root = new
