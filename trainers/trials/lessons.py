"""Which tokens each step of a trial learns from: in every trial the same number, whatever its rows are like."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

TOKENS_A_STEP = 400
"""Tokens of answers that a step learns from, about: a few rows."""

FEWEST_STEPS = 8
"""Steps of a small budget: with fewer an adapter hardly leaves its start."""

LONGEST = 1024
"""Tokens of prompt and answer that are read; what is longer is cut there."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as tokens; its answer begins at `start`."""

    id: str
    tokens: Sequence[int]
    start: int

    @property
    def answered(self) -> int:
        return len(self.tokens) - self.start


class Piece(NamedTuple):
    """What a step learns of a row: its tokens from `first` to before `end`, after all that stands before them."""

    row: int
    first: int
    end: int


def steps_for(budget: int) -> int:
    return min(max(round(budget / TOKENS_A_STEP), FEWEST_STEPS), budget)


def lessons(rows: Sequence[Encoded], budget: int, seed: int, draw: int | None = None) -> list[list[Piece]]:
    """The pieces of each step; those of one step hold `budget` / steps tokens, rounded, and all together `budget`.

    Rows come in an order drawn by the seed, and in a new one each time they are gone through. A row that is not
    finished when a step is full goes on in the next. With `draw` the seed first draws so many of the rows.
    """
    steps = steps_for(budget)
    whole, more = divmod(budget, steps)
    pieces = _endless(rows, seed, draw)
    left = next(pieces)
    made: list[list[Piece]] = []
    for step in range(steps):
        wanted, made_of = whole + (step < more), list[Piece]()
        while wanted:
            if left.first == left.end:
                left = next(pieces)
            taken = min(wanted, left.end - left.first)
            made_of.append(Piece(left.row, left.first, left.first + taken))
            left = Piece(left.row, left.first + taken, left.end)
            wanted -= taken
        made.append(made_of)
    return made


def _endless(rows: Sequence[Encoded], seed: int, draw: int | None) -> Iterator[Piece]:
    dice = random.Random(seed)
    places = list(range(len(rows)))
    dice.shuffle(places)
    places = list(islice(places, draw))
    while True:
        for place in places:
            yield Piece(place, rows[place].start, len(rows[place].tokens))
        dice.shuffle(places)


def tokens_read(pieces: Sequence[Sequence[Piece]]) -> int:
    """Tokens that pass through the model for so many steps, prompts among them."""
    return sum(piece.end for step in pieces for piece in step)
