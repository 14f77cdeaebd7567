"""The join compiled: one pass over the rows, each looked up, thinned and compared while it is at hand."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworks.factory.overlap.bounds import Bound, Numbers
from tuneworks.factory.overlap.compiled_lcs import in_common, long_subsequence, mark, ones, subsequence, unmark
from tuneworks.factory.overlap.jit import jit
from tuneworks.factory.overlap.keys import Keys
from tuneworks.factory.overlap.prefixes import deepest, entries, planned
from tuneworks.factory.overlap.tokens import Bags

MIX = np.uint64(0x9E3779B97F4A7C15)

HALF = 32

SPAN = 30
"""Bits that hold how many rows have a code, below where they begin."""

MOST_SIZES = 1 << 22
"""Numbers in the tables of what sizes ask of each other, which bounds the memory."""

ENOUGH = 1 << 20
"""Pairs that are handed over at once."""

Found = tuple[Numbers, Numbers, Numbers]


class Side(NamedTuple):
    """Keys of rows as the compiled code reads them, and what is compared: token sequences, or the keys themselves."""

    ranks: Numbers
    starts: Numbers
    alone: Numbers
    bits: NDArray[np.uint64]
    size_at: Numbers
    apart: Numbers
    """`size_at` above `alone`, packed, so that a look at a row costs one memory access."""
    tokens: Numbers
    token_starts: Numbers


class Postings(NamedTuple):
    """The index's entries: `rows` by code, and a hash table with two numbers a slot: a code, or -1, and where its rows
    begin and how many they are, packed, so that a look-up costs one memory access."""

    rows: NDArray[np.int32]
    table: Numbers


class Sizes(NamedTuple):
    """What sizes ask of each other, for some sizes of the rows that look others up, from `first` on."""

    first: int
    sizes: Numbers
    fewest: Numbers
    spare: Numbers
    """By how many keys rows of two sizes may differ."""
    low: Numbers
    stops: Numbers
    stop_starts: Numbers


def near_pairs(
    probe: Keys, index: Keys, ranks: int, bound: Bound, own: bool, sequences: tuple[Bags, Bags] | None
) -> Iterator[Found]:
    """Places in `probe` and in `index` of rows that share enough, and how much: of `sequences` (rows in the
    order of the keys) the longest common subsequence, else keys. With `own` the two are one, and a pair's first is
    the later."""
    left, right = sequences or (Bags(probe.ranks, probe.starts), Bags(index.ranks, index.starts))
    side = _side(index, right)
    sides = (side if own else _side(probe, left)), side
    masks = np.zeros(1 + max(int(bags.tokens.max(initial=0)) for bags in (left, right)), np.uint64)
    carry = np.zeros(int(np.diff(right.starts).max(initial=0)), np.uint8)
    for two, depth in enumerate(planned(index, bound, own)):
        if not depth.any():
            continue
        entered = entries(index, np.flatnonzero(depth), depth, ranks, bool(two))
        postings = _postings(entered.codes, entered.rows)
        deep = deepest(probe, index, depth, bound, bool(two))
        seen = np.full(len(index), -1, np.int64)
        for sizes, first, stop in _sizes(probe, index, bound):
            while first < stop:
                found = np.empty((ENOUGH + len(index), 3), np.int32)
                count, first = _scan(
                    first, stop, *sides, postings, sizes, deep, two, own, ranks, sequences is not None, seen, masks,
                    carry, found,
                )  # fmt: skip
                x, y, common = found[:count].T.astype(np.int64)
                yield x, y, common


def _side(keys: Keys, bags: Bags) -> Side:
    size_at = np.unique(keys.sizes, return_inverse=True)[1]
    apart = size_at << HALF | keys.alone
    return Side(keys.ranks, keys.starts, keys.alone, keys.bits, size_at, apart, bags.tokens, bags.starts)


def _postings(codes: Numbers, rows: Numbers) -> Postings:
    bits = int(rows.max()).bit_length()
    if int(codes.max()).bit_length() + bits < 63:
        packed = np.sort(codes << bits | rows)
        codes, rows = packed >> bits, packed & ((1 << bits) - 1)
    else:
        order = np.lexsort((rows, codes))
        codes, rows = codes[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    spans = starts << SPAN | np.diff(np.append(starts, len(rows)))
    return Postings(rows.astype(np.int32), _table(codes[starts], spans))


def _sizes(probe: Keys, index: Keys, bound: Bound) -> Iterator[tuple[Sizes, int, int]]:
    """Tables for so many sizes at once as they are small, and which rows have those sizes."""
    sizes, first_row = np.unique(probe.sizes, return_index=True)
    others = np.unique(index.sizes)
    total = np.cumsum(sizes + 1 + len(others))
    ends = np.append(first_row, len(probe))
    at = 0
    while at < len(sizes):
        stop = max(at + 1, int(np.searchsorted(total, (total[at - 1] if at else 0) + MOST_SIZES)))
        some = sizes[at:stop]
        fewest = bound.fewest(*np.broadcast_arrays(some[:, None], others))
        low = np.searchsorted(index.sizes, bound.shortest(some))
        counts = some + 1
        starts = np.cumsum(counts) - counts
        common = np.arange(counts.sum()) - np.repeat(starts, counts)
        stops = np.searchsorted(index.sizes, bound.longest(np.repeat(some, counts), common), side="right")
        spare = some[:, None] + others - 2 * fewest
        yield Sizes(at, some, fewest, spare, low, stops, starts), int(ends[at]), int(ends[stop])
        at = stop


@jit
def _table(codes: Numbers, spans: Numbers) -> Numbers:
    size = 1 << 4
    while size < 2 * len(codes):
        size *= 2
    table = np.full((size, 2), -1, np.int64)
    for at in range(len(codes)):
        slot = _slot(codes[at], size)
        while table[slot, 0] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot, 0], table[slot, 1] = codes[at], spans[at]
    return table


@jit
def _slot(code: int, size: int) -> int:
    return int((np.uint64(code) * MIX) >> np.uint64(20)) & (size - 1)


@jit
def _span(table: Numbers, code: int) -> int:
    """Where the rows of a code are; 0 where there are none."""
    slot = _slot(code, len(table))
    while table[slot, 0] != code:
        if table[slot, 0] < 0:
            return 0
        slot = (slot + 1) & (len(table) - 1)
    return int(table[slot, 1])


@jit
def _from(rows: NDArray[np.int32], first: int, stop: int, low: int) -> int:
    """The first place from `first` on of a row that is not below `low`."""
    while first < stop:
        middle = (first + stop) // 2
        if rows[middle] < low:
            first = middle + 1
        else:
            stop = middle
    return first


@jit
def _looked_up(
    row: int, low: int, stops: Numbers, size: int, two: int, own: bool, ranks: int, depth: int, left: Side,
    postings: Postings, seen: Numbers, near: Numbers,
) -> int:  # fmt: skip
    """Fill `near` with the rows that share a looked-up key with `row`, each once; how many they are."""
    count, begin = 0, left.starts[row]
    for later in range(two, depth):
        room = max(0, size - left.alone[row] - later + two)
        stop = min(stops[room], row) if own else stops[room]
        if stop <= low:
            continue
        for earlier in range(later if two else 1):
            code = left.ranks[begin + later]
            if two:
                code += left.ranks[begin + earlier] * ranks
            span = _span(postings.table, code)
            begins = span >> SPAN
            end = begins + (span & ((1 << SPAN) - 1))
            for place in range(_from(postings.rows, begins, end, low), end):
                other = postings.rows[place]
                if other >= stop:
                    break
                if seen[other] != row:
                    seen[other] = row
                    near[count] = other
                    count += 1
    return count


@jit
def _scan(
    first: int, last: int, left: Side, right: Side, postings: Postings, sizes: Sizes, deep: Numbers, two: int,
    own: bool, ranks: int, sequence: bool, seen: Numbers, masks: NDArray[np.uint64], carry: NDArray[np.uint8],
    found: NDArray[np.int32],
) -> tuple[int, int]:  # fmt: skip
    """Fill `found` with the pairs of the rows from `first` on, until it may be full or the row `last` is reached; how
    many there are, and which row is next."""
    near = np.empty(len(seen), np.int64)
    count, row = 0, first
    while row < last and count + len(seen) <= len(found):
        kind = left.size_at[row] - sizes.first
        size, low = sizes.sizes[kind], sizes.low[kind]
        stops = sizes.stops[sizes.stop_starts[kind] : sizes.stop_starts[kind] + size + 1]
        total = _looked_up(row, low, stops, size, two, own, ranks, deep[row], left, postings, seen, near)
        mine = left.tokens[left.token_starts[row] : left.token_starts[row + 1]]
        long, marked = sequence and size > 64, False
        for other in near[:total]:
            apart = right.apart[other]
            spare = sizes.spare[kind, apart >> HALF] - left.alone[row] - (apart & ((1 << HALF) - 1))
            differ = ones(left.bits[row, 0] ^ right.bits[other, 0]) + ones(left.bits[row, 1] ^ right.bits[other, 1])
            if differ > spare:
                continue
            fewest = sizes.fewest[kind, apart >> HALF]
            theirs = right.tokens[right.token_starts[other] : right.token_starts[other + 1]]
            if not long and not marked:
                mark(masks, mine, sequence)
                marked = True
            if long:
                common = long_subsequence(masks, mine, theirs, carry)
            else:
                common = subsequence(masks, theirs) if sequence else in_common(masks, theirs)
            if common >= fewest:
                found[count, 0], found[count, 1], found[count, 2] = row, other, common
                count += 1
        if marked:
            unmark(masks, mine)
        row += 1
    return count, row
