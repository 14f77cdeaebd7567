"""The join on numpy and rapidfuzz: sorted entries looked up by binary search, candidates thinned, then compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from tuneworks.factory.overlap.bounds import Bound, Numbers
from tuneworks.factory.overlap.keys import Keys
from tuneworks.factory.overlap.prefixes import Entries, deepest, entries, planned, single_entries
from tuneworks.factory.overlap.tokens import Bags

BLOCK = 1 << 21
"""Entries, hits or keys that are held at once, which bounds the memory."""

CHARACTERS = 0x110000
"""As many tokens have a character of their own."""

Encoded = Sequence[int] | str
Pairs = tuple[Numbers, Numbers]
Found = tuple[Numbers, Numbers, Numbers]


def near_pairs(
    probe: Keys, index: Keys, ranks: int, bound: Bound, own: bool, sequences: tuple[Bags, Bags] | None
) -> Iterator[Found]:
    """Places in `probe` and in `index` of rows that may share enough, and how much: of `sequences` (rows in the
    order of the keys) the longest common subsequence, else keys. With `own` the two are one, and a pair's first is
    the later."""
    for x, y in _candidates(probe, index, ranks, bound, own):
        yield x, y, shared_keys(probe, index, x, y) if sequences is None else subsequences(*sequences, x, y)


def _candidates(probe: Keys, index: Keys, ranks: int, bound: Bound, own: bool) -> Iterator[Pairs]:
    for two, depth in zip((False, True), planned(index, bound, own), strict=True):
        if not depth.any():
            continue
        held = _Held.of(entries(index, np.flatnonzero(depth), depth, ranks, two), index)
        deep = deepest(probe, index, depth, bound, two)
        for rows in _blocks(deep * (deep - 1) // 2 if two else deep, BLOCK):
            found = list(held.pairs(entries(probe, rows, deep, ranks, two), probe, index, bound, own, two))
            if found:
                pairs = found[0] if len(found) == 1 else np.unique(np.concatenate(found))
                yield pairs // len(index), pairs % len(index)


def _blocks(counts: Numbers, most: int) -> Iterator[Numbers]:
    """Consecutive places whose counts add up to about `most`; places that count nothing are left out."""
    places = np.flatnonzero(counts)
    total = np.cumsum(counts[places])
    cuts = np.searchsorted(total, np.arange(most, total[-1:].sum(), most))
    yield from (part for part in np.split(places, cuts) if len(part))


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """The index's entries as sorted numbers, code above row. Codes too big for that are hashed: they may then find
    too much, never too little."""

    packed: Numbers
    shift: int

    @classmethod
    def of(cls, entered: Entries, index: Keys) -> "_Held":
        shift = len(index).bit_length()
        return cls(np.sort(_short(entered.codes, 63 - shift) << shift | entered.rows), shift)

    def pairs(self, looked: Entries, probe: Keys, index: Keys, bound: Bound, own: bool, two: bool) -> Iterator[Numbers]:
        rows, sizes = looked.rows, probe.sizes[looked.rows]
        kinds, kind = np.unique(probe.sizes, return_inverse=True)
        first = np.searchsorted(index.sizes, bound.shortest(kinds))[kind[rows]]
        # A key this far back leaves room for so many shared ones, and those are enough for short rows only.
        farthest = bound.longest(sizes, sizes - looked.places + two)
        stop = np.searchsorted(index.sizes, farthest, side="right")
        stop = np.minimum(stop, rows) if own else stop
        some = np.flatnonzero(first < stop)
        codes = _short(looked.codes[some], 63 - self.shift) << self.shift
        by_code = some[np.argsort(codes)]
        codes.sort()
        low = np.searchsorted(self.packed, codes + first[by_code])
        hits = np.searchsorted(self.packed, codes + stop[by_code]) - low
        for part in _blocks(hits, BLOCK):
            yield _thinned(*self._found(rows[by_code[part]], low[part], hits[part]), probe, index, bound)

    def _found(self, rows: Numbers, low: Numbers, hits: Numbers) -> Pairs:
        at = np.repeat(low - np.cumsum(hits) + hits, hits) + np.arange(hits.sum())
        return np.repeat(rows, hits), self.packed[at] & ((1 << self.shift) - 1)


def _short(codes: Numbers, bits: int) -> Numbers:
    if not len(codes) or int(codes.max()) < 1 << bits:
        return codes
    mixed = codes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - bits)).astype(np.int64)


def _thinned(x: Numbers, y: Numbers, probe: Keys, index: Keys, bound: Bound) -> Numbers:
    """The pairs that differ in few enough bits, each once and as one number."""
    spare = _spare(x, y, probe, index, bound)
    differ = np.bitwise_count(probe.bits[x] ^ index.bits[y]).sum(axis=1, dtype=np.int64)
    near = differ + probe.alone[x] + index.alone[y] <= spare
    return np.unique(x[near] * len(index) + y[near])


def _spare(x: Numbers, y: Numbers, probe: Keys, index: Keys, bound: Bound) -> Numbers:
    """By how many keys a pair may differ. Sizes are few: the bound is computed once for each two of them."""
    (m, at_x), (n, at_y) = (np.unique(keys.sizes, return_inverse=True) for keys in (probe, index))
    if len(m) * len(n) > len(x):
        m, n = probe.sizes[x], index.sizes[y]
        return m + n - 2 * bound.fewest(m, n)
    table = m[:, None] + n - 2 * bound.fewest(*np.broadcast_arrays(m[:, None], n))
    return table[at_x[x], at_y[y]]


def shared_keys(probe: Keys, index: Keys, x: Numbers, y: Numbers) -> Numbers:
    """How many keys each pair of rows has in common."""
    common = np.zeros(len(x), np.int64)
    for pairs in _blocks(probe.shared[x] + index.shared[y], 2 * BLOCK):
        bits = max(1, int(max(keys.ranks.max(initial=0) for keys in (probe, index))).bit_length())
        sides = []
        for keys, rows in ((probe, x[pairs]), (index, y[pairs])):
            ranks = single_entries(keys, rows, keys.shared[rows]).codes
            sides.append(np.repeat(np.arange(len(pairs)), keys.shared[rows]) << bits | ranks)
        packed = np.sort(np.concatenate(sides))
        twice = packed[1:][packed[1:] == packed[:-1]] >> bits
        common[pairs] = np.bincount(twice, minlength=len(pairs))
    return common


def subsequences(left: Bags, right: Bags, x: Numbers, y: Numbers) -> Numbers:
    """The length of the longest common subsequence of each pair of rows."""
    common = np.zeros(len(x), np.int64)
    for pairs in _blocks(np.diff(left.starts)[x] + np.diff(right.starts)[y], 2 * BLOCK):
        one, other = _texts(left, right, x[pairs], y[pairs])
        common[pairs] = process.cpdist(one, other, scorer=LCSseq.similarity, dtype=np.int64)
    return common


def _texts(left: Bags, right: Bags, x: Numbers, y: Numbers) -> tuple[Sequence[Encoded], Sequence[Encoded]]:
    """What rapidfuzz compares fastest: one character a token; lists where the tokens outrun Unicode."""
    (some, at_x), (others, at_y) = np.unique(x, return_inverse=True), np.unique(y, return_inverse=True)
    one, other = left.rows(some), right.rows(others)
    tokens = np.concatenate([one.tokens, other.tokens])
    if tokens.max(initial=0) >= CHARACTERS:
        tokens = np.unique(tokens, return_inverse=True)[1]
    whole: Encoded = tokens.tolist()
    if tokens.max(initial=0) < CHARACTERS:
        whole = tokens.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.concatenate([one.starts, one.starts[-1] + other.starts[1:]]).tolist()
    cut = [whole[first:stop] for first, stop in pairwise(ends)]
    return [cut[at] for at in at_x.tolist()], [cut[len(some) + at] for at in at_y.tolist()]
