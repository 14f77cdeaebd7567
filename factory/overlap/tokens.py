"""Texts as rows of token numbers, and sets of word n-grams made of them.

Numbers mean the same only inside one `Bags`: what is to be compared is made together, then taken apart by `part`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.compiled import compiled
from tuneworks.factory.overlap.settled import words_of

Tokenizer = Literal["unicode", "ascii"]

BLOCK = 1 << 17
"""Numbers worked on together."""


@dataclass(frozen=True, slots=True, eq=False)
class Bags:
    """Rows of numbers, one after the other: row i is `tokens[starts[i] : starts[i + 1]]`."""

    tokens: Numbers
    starts: Numbers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, at: int) -> Numbers:
        return self.tokens[self.starts[at] : self.starts[at + 1]]

    def rows(self, places: Numbers) -> "Bags":
        """The rows at these places, with the same numbers."""
        sizes = np.diff(self.starts)[places]
        starts = _starts(sizes)
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
        return Bags(self.tokens[np.repeat(self.starts[places], sizes) + within], starts)

    def part(self, first: int, stop: int) -> "Bags":
        """The rows from `first` up to `stop`, with the same numbers."""
        starts = self.starts[first : stop + 1]
        return Bags(self.tokens[starts[0] : starts[-1]], starts - starts[0])


def bags_of(texts: pl.Series | Sequence[str | None], tokenizer: Tokenizer = "unicode") -> Bags:
    """The tokens of each text in their order, those of `unicode_tokens` or `ascii_tokens`; none of a null."""
    words = words_of(texts if isinstance(texts, pl.Series) else _series(texts), tokenizer)
    if compiled(int(words.str.len_bytes().sum()) // 6):
        from tuneworks.factory.overlap.compiled_tokens import split

        ended = pl.concat([words, pl.Series([""])]).str.join("\n").cast(pl.Binary).item()
        ends = (words.str.len_bytes().cast(pl.Int64) + 1).cum_sum().to_numpy()
        return Bags(*split(np.frombuffer(ended, np.uint8), ends))
    listed = words.str.extract_all(r"[a-z0-9\x{80}-\x{10ffff}]+")
    sizes = listed.list.len().cast(pl.Int64).to_numpy()
    numbers = listed.filter(listed.list.len() > 0).explode().cast(pl.Categorical(pl.Categories.random()))
    return Bags(numbers.to_physical().cast(pl.Int64).to_numpy(), _starts(sizes))


def first_equal(bags: Bags) -> Numbers:
    """For each row the first that has the same tokens in the same order, itself where there is none. Rows that differ
    and have one hash, if there ever are any, are not told to be equal to anything but themselves."""
    sizes, rows = np.diff(bags.starts), np.arange(len(bags))
    row = np.repeat(rows, sizes)
    within = np.arange(len(bags.tokens)) - bags.starts[:-1][row]
    hashed = np.zeros(len(bags), np.uint64)
    full = np.flatnonzero(sizes)
    if len(full):
        hashed[full] = np.add.reduceat(_mixed(bags.tokens) * _mixed(within), bags.starts[:-1][full])
    frame = pl.DataFrame({"row": rows, "size": sizes, "hash": hashed})
    first: Numbers = frame.select(pl.col("row").first().over("size", "hash")).to_series().to_numpy()
    differs = bags.tokens != bags.tokens[bags.starts[first[row]] + within]
    alone = np.flatnonzero(np.bincount(row[differs], minlength=len(bags)))
    equal: Numbers = first.copy()
    equal[alone] = alone
    return equal


def _mixed(numbers: Numbers) -> NDArray[np.uint64]:
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) | np.uint64(1)


def shingles(bags: Bags, n: int) -> Bags:
    """The set of n-grams of each row. A row of fewer than n tokens is one shingle as a whole, so that short texts
    are compared too; an empty row stays empty."""
    sizes = np.diff(bags.starts)
    starts = _starts(np.where(sizes, np.maximum(1, sizes - n + 1), 0))
    grams = _dense(_grams(bags, starts, n))
    sets = [_sets(grams, starts, first, stop) for first, stop in _blocks(starts)]
    counts = np.concatenate([count for _, count in sets])
    return Bags(np.concatenate([kept for kept, _ in sets]), _starts(counts))


def _blocks(starts: Numbers) -> list[tuple[int, int]]:
    """Rows in blocks of some BLOCK numbers. Work on arrays of that size stays in the processor's cache, and the memory
    of one serves the next."""
    cuts = np.searchsorted(starts, np.arange(0, starts[-1], BLOCK))
    ends = np.unique([0, *cuts, len(starts) - 1])
    return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)) or [(0, 0)]


def _sets(grams: Numbers, starts: Numbers, first: int, stop: int) -> tuple[Numbers, Numbers]:
    """Of the rows from `first` up to `stop`: the different numbers of each in order, and how many they are."""
    row = np.repeat(np.arange(stop - first), np.diff(starts[first : stop + 1]))
    packed = np.sort(row << 32 | grams[starts[first] : starts[stop]])
    new = np.ones(len(packed), bool)
    new[1:] = packed[1:] != packed[:-1]
    packed = packed[new]
    return packed & 0xFFFFFFFF, np.bincount(packed >> 32, minlength=stop - first)


def _grams(bags: Bags, starts: Numbers, n: int) -> Numbers:
    """A number for each n-gram, row i's from `starts[i]` on: its tokens as digits, 0 where a row ends before."""
    base = int(bags.tokens.max(initial=0)) + 2
    padded = np.concatenate([bags.tokens + 1, np.zeros(n, np.int64)])
    fits = base**n < 1 << 63  # else digits are numbered anew on the way, which takes all rows at once
    grams = np.empty(int(starts[-1]), np.int64)
    for first, stop in _blocks(starts) if fits else [(0, len(bags))]:
        counts = np.diff(starts[first : stop + 1])
        at = np.arange(starts[first], starts[stop]) + np.repeat((bags.starts - starts)[first:stop], counts)
        end = np.repeat(bags.starts[first + 1 : stop + 1], counts)
        grams[starts[first] : starts[stop]] = _digits(padded, at, end, n, base)
    return grams


def _digits(padded: Numbers, at: Numbers, end: Numbers, n: int, base: int) -> Numbers:
    grams: Numbers = padded[at]
    most = base
    for k in range(1, n):
        if most * base >= 1 << 63:
            grams = _dense(grams)
            most = int(grams.max(initial=0)) + 1
        digit = padded[at + k]
        digit[at + k >= end] = 0
        grams = grams * base + digit
        most *= base
    return grams


def _dense(numbers: Numbers) -> Numbers:
    """Numbers from 0 that are equal where the given ones are."""
    if compiled(len(numbers)):
        from tuneworks.factory.overlap.compiled_tokens import dense

        return dense(numbers)
    order = np.argsort(numbers)
    inorder = numbers[order]
    made = np.empty(len(numbers), np.int64)
    made[order] = np.cumsum(np.append(0, inorder[1:] != inorder[:-1]))[: len(numbers)]
    return made


def _starts(sizes: Numbers) -> Numbers:
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def _series(texts: Sequence[str | None]) -> pl.Series:
    """A lone surrogate is no character and part of no token."""
    whole = [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]
    return pl.Series(whole, dtype=pl.String)
