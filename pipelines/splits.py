"""Train and test: no record in one that a record in the other gives away.

Records form a group where they have the same instruction, are nearly the same text, or come from the same record: a
task and its harder versions, a conversation and its beginning. Whole groups go to one side. A record that a model wrote
after seeing several others as examples is no relative of theirs: nothing was copied.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.overlap.join import self_join
from tuneworks.factory.overlap.tokens import bags_of, shingles
from tuneworks.factory.record import Record

NEAR, NGRAM = 0.7, 3
"""Two texts with at least this Jaccard similarity of their word n-grams, of so many words, are nearly the same."""


def split(records: Sequence[Record], share: float, dice: Dice) -> list[tuple[str, list[Record]]]:
    """Train and test, about `share` of the records in the latter; where there are two groups, each side has one."""
    groups = grouped(records) if share > 0 else []
    wanted = min(share * len(records) + 0.5, len(records) - 1)
    tested = _drawn(groups, wanted, dice) if len(groups) > 1 else set[int]()
    train = [r for at, r in enumerate(records) if at not in tested]
    return [("train", train), ("test", [r for at, r in enumerate(records) if at in tested])]


def _drawn(groups: Sequence[list[int]], wanted: float, dice: Dice) -> set[int]:
    """Groups in the order of the dice, as far as they fit; the smallest where none does."""
    order = list(groups)
    dice.random("groups").shuffle(order)
    tested: set[int] = set()
    for group in order:
        if len(tested) + len(group) <= wanted:
            tested.update(group)
    if not tested:
        smallest = min(order, key=len)
        tested.update(smallest)
    return tested


def grouped(records: Sequence[Record]) -> list[list[int]]:
    """The groups, each the places of its records, in the order of their ids, whatever order the records are in."""
    root = list(range(len(records)))

    def top(at: int) -> int:
        while root[at] != at:
            root[at] = at = root[root[at]]
        return at

    asked = ["\n".join(m.content for m in r.prompt if m.role == "user") for r in records]
    for one, other in (*_related(records, asked), *_near(asked)):
        root[top(one)] = top(other)
    members: dict[int, list[int]] = {}
    for at in range(len(records)):
        members.setdefault(top(at), []).append(at)
    return sorted(members.values(), key=lambda group: min(records[at].id for at in group))


def _related(records: Sequence[Record], asked: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs that share an instruction, all that is asked, or a record that one of them is or comes from alone."""
    first: dict[tuple[str, str], int] = {}
    for at, record in enumerate(records):
        line = record.parents if len(record.parents) == 1 else ()
        names = [("instruction", record.instruction), ("asked", asked[at]), *(("id", i) for i in (record.id, *line))]
        for name in names:
            yield at, first.setdefault(name, at)


def _near(asked: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of nearly the same text. Of copies, which are related anyway, one stands for all."""
    texts = pl.DataFrame({"text": asked}, schema={"text": pl.String()}).with_row_index("at")
    texts = texts.unique("text", keep="first", maintain_order=True)
    pairs = self_join(shingles(bags_of(texts["text"]), NGRAM), "jaccard", NEAR)
    places = texts["at"]
    return zip(places.gather(pairs["row"]), places.gather(pairs["other"]), strict=True)
