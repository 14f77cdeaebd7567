"""Train and test: no record in one that a record in the other gives away.

Records form a group where they have the same instruction, are nearly the same text, or come from the same record: a
task and its harder versions, a conversation and its beginning. Whole groups go to one side. A record that a model wrote
after seeing several others as examples is no relative of theirs: nothing was copied.
"""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.overlap.join import self_join
from tuneworks.factory.overlap.tokens import bags_of, shingles
from tuneworks.factory.record import Record

NEAR, NGRAM = 0.7, 3
"""Two texts with at least this Jaccard similarity of their word n-grams, of so many words, are nearly the same."""


def split(records: Sequence[Record], share: float, dice: Dice) -> list[tuple[str, list[Record]]]:
    """Train and test, about `share` of the records in the latter; at least one group is tested on if there are two."""
    groups = grouped(records) if share > 0 else []
    tested = _drawn(groups, share * len(records), dice) if len(groups) > 1 else set[int]()
    train = [r for at, r in enumerate(records) if at not in tested]
    return [("train", train), ("test", [r for at, r in enumerate(records) if at in tested])]


def _drawn(groups: Sequence[list[int]], wanted: float, dice: Dice) -> set[int]:
    """Groups in the order of the dice, as long as they fit."""
    order = list(groups)
    dice.random("groups").shuffle(order)
    tested: set[int] = set()
    for group in order:
        if len(tested) + len(group) <= wanted + 0.5:
            tested.update(group)
    smallest = min(order, key=len)
    return tested or set(smallest)


def grouped(records: Sequence[Record]) -> list[list[int]]:
    """The groups, each the places of its records, in the order of their ids, whatever order the records are in."""
    root = list(range(len(records)))

    def top(at: int) -> int:
        while root[at] != at:
            root[at] = at = root[root[at]]
        return at

    for one, other in (*_related(records), *_near(records)):
        root[top(one)] = top(other)
    members: dict[int, list[int]] = {}
    for at in range(len(records)):
        members.setdefault(top(at), []).append(at)
    return sorted(members.values(), key=lambda group: min(records[at].id for at in group))


def _related(records: Iterable[Record]) -> Iterator[tuple[int, int]]:
    """Pairs that share an instruction, or a record that one of them is or comes from alone."""
    first: dict[str, int] = {}
    for at, record in enumerate(records):
        instruction = f"says {record.instruction}"
        line = record.parents if len(record.parents) == 1 else ()
        for name in (instruction, record.id, *line):
            yield at, first.setdefault(name, at)


def _near(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Pairs whose prompts are nearly the same text, all user turns together."""
    said = ["\n".join(m.content for m in r.prompt if m.role == "user") for r in records]
    texts = pl.DataFrame({"text": said}, schema={"text": pl.String()}).with_row_index("at")
    texts = texts.unique("text", keep="first", maintain_order=True)  # copies share their instruction already
    pairs = self_join(shingles(bags_of(texts["text"]), NGRAM), "jaccard", NEAR)
    places = texts["at"]
    return zip(places.gather(pairs["row"]), places.gather(pairs["other"]), strict=True)
