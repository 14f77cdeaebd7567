"""Rows as sets of keys, rarest first: what the prefix filter reads.

The k-th occurrence of a token in its row is a key of its own: with that, bags are sets, and two rows share as many keys
as their bags share tokens, which no common subsequence exceeds. A key that only one row has can match nothing; it
is counted (`alone`) and left out, and would have stood first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.compiled import compiled
from tuneworks.factory.overlap.tokens import Bags

ROW = 32
"""Bits of a packed number that hold a token or a rank, below the row."""


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Rows in order of their size, of equals the earlier first; empty rows are left out."""

    rows: Numbers
    """Which row of the bags each is."""
    sizes: Numbers
    """How many keys each has, those it has alone included."""
    alone: Numbers
    ranks: Numbers
    """The other keys of each row, one row after the other: rare ones have low numbers and come first."""
    starts: Numbers
    bits: NDArray[np.uint64]
    """128 bits a row: each key of `ranks` flips one. Two rows differ in at least as many keys as in bits."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shared(self) -> Numbers:
        return np.diff(self.starts)


def keys_of(tables: Sequence[Bags]) -> tuple[list[Keys], int]:
    """Keys of tables whose numbers mean the same, ranked by how often they come; and how many ranks there are."""
    orders = [np.argsort(np.diff(bags.starts), kind="stable") for bags in tables]
    keyed = [_keyed(bags, order) for bags, order in zip(tables, orders, strict=True)]
    keys = _numbered([token for _, token, _ in keyed], [turn for _, _, turn in keyed])
    counts = np.bincount(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
    often = np.flatnonzero(counts > 1)
    by_count = np.sort(counts[often] << ROW | often) & ((1 << ROW) - 1)
    rank = np.full(len(counts), -1)
    rank[by_count] = np.arange(len(by_count))
    made = [
        _ranked(row, rank[key], bags, order)
        for (row, _, _), key, bags, order in zip(keyed, keys, tables, orders, strict=True)
    ]
    return made, len(by_count)


def _keyed(bags: Bags, order: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Of each token its row's place in `order`, itself, and how many equal ones precede it in the row."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    row = np.repeat(place, np.diff(bags.starts))
    if ((bags.tokens[1:] > bags.tokens[:-1]) | (row[1:] != row[:-1])).all():  # sets, in order already
        return row, bags.tokens, np.zeros_like(row)
    packed = np.sort(row << ROW | bags.tokens)
    at = np.arange(len(packed))
    first = np.ones(len(packed), bool)
    first[1:] = packed[1:] != packed[:-1]
    turn = at - np.maximum.accumulate(np.where(first, at, 0))
    return packed >> ROW, packed & ((1 << ROW) - 1), turn


def _numbered(tokens: list[Numbers], turns: list[Numbers]) -> list[Numbers]:
    """One number for each token and turn: the token's own where it is the first of its row."""
    above = max((int(t.max()) + 1 for t in tokens if len(t)), default=0)
    again = np.unique(np.concatenate([t[u > 0] << ROW | u[u > 0] for t, u in zip(tokens, turns, strict=True)]))
    made = []
    for token, turn in zip(tokens, turns, strict=True):
        key, later = token, np.flatnonzero(turn)
        if len(later):
            key = token.copy()
            key[later] = above + np.searchsorted(again, token[later] << ROW | turn[later])
        made.append(key)
    return made


def _ranked(row: Numbers, rank: Numbers, bags: Bags, order: Numbers) -> Keys:
    known = rank >= 0
    packed = np.sort(row[known] << ROW | rank[known])
    row, ranks = packed >> ROW, packed & ((1 << ROW) - 1)
    sizes = np.diff(bags.starts)[order]
    shared = np.bincount(row, minlength=len(order))
    skip = int(np.searchsorted(sizes, 1))
    starts = np.concatenate([[0], np.cumsum(shared[skip:])])
    return Keys(order[skip:], sizes[skip:], (sizes - shared)[skip:], ranks, starts, _bits(ranks, starts))


def _bits(ranks: Numbers, starts: Numbers) -> NDArray[np.uint64]:
    if compiled(len(ranks)):
        from tuneworks.factory.overlap.compiled_keys import bits_of

        return bits_of(ranks, starts)
    place = (ranks.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(57)
    bits = np.zeros((len(starts) - 1, 2), np.uint64)
    full = np.flatnonzero(np.diff(starts))
    if len(full):
        one = np.left_shift(np.uint64(1), place & np.uint64(63))
        for half in (0, 1):
            flips = np.where(place >> np.uint64(6) == half, one, np.uint64(0))
            bits[full, half] = np.bitwise_xor.reduceat(flips, starts[full])
    return bits
