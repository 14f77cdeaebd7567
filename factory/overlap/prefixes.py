"""The prefix filter: rows that share enough share one key, or two, among their rarest.

If two rows share o keys, the first of those stands among the first m - o + 1 of the one and n - o + 1 of the other, and
the second among the first m - o + 2 and n - o + 2. Looking rows up by two keys finds far fewer that share no
more. It does not pay where rows have long prefixes (the pairs of keys in them grow with the square) or where single
keys are rare already; and it cannot find rows of which one shared key is enough.
"""

from dataclasses import dataclass

import numpy as np

from tuneworks.factory.overlap.bounds import Bound, Numbers
from tuneworks.factory.overlap.keys import Keys

LONGEST_PREFIX = 40
"""Of rows with longer prefixes single keys are looked up: more than 780 pairs of keys a row do not pay."""

HITS_A_ROW = 24
"""Looking up single keys is worth its hits while there are about so many for each row."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What rows are looked up by: one or two of their keys as a number, whose they are, and the place in the row of the
    later one, keys that the row has alone counted."""

    codes: Numbers
    rows: Numbers
    places: Numbers


def depths(keys: Keys, most: Numbers) -> Numbers:
    """How many of the ranked keys stand among the first `most` of each row."""
    return np.clip(most - keys.alone, 0, keys.shared)


def entries(keys: Keys, rows: Numbers, depth: Numbers, ranks: int, two: bool) -> Entries:
    """The entries of some rows, by one key or by two."""
    return double_entries(keys, rows, depth[rows], ranks) if two else single_entries(keys, rows, depth[rows])


def single_entries(keys: Keys, rows: Numbers, depth: Numbers) -> Entries:
    within = np.arange(depth.sum()) - np.repeat(np.cumsum(depth) - depth, depth)
    row = np.repeat(rows, depth)
    return Entries(keys.ranks[keys.starts[row] + within], row, keys.alone[row] + within)


def double_entries(keys: Keys, rows: Numbers, depth: Numbers, ranks: int) -> Entries:
    """Rows of one depth at a time: each is a row of a matrix, each pair of its columns an entry."""
    made = [Entries(*(np.zeros(0, np.int64) for _ in range(3)))]
    for count in np.unique(depth[depth > 1]).tolist():
        some = rows[depth == count]
        first, second = np.triu_indices(count, 1)
        matrix = keys.ranks[keys.starts[some][:, None] + np.arange(count)]
        codes = (matrix[:, first] * ranks + matrix[:, second]).ravel()
        places = (keys.alone[some][:, None] + second).ravel()
        made.append(Entries(codes, np.repeat(some, len(first)), places))
    return Entries(*(np.concatenate([getattr(e, name) for e in made]) for name in ("codes", "rows", "places")))


def planned(index: Keys, bound: Bound, own: bool) -> tuple[Numbers, Numbers]:
    """Depths of the rows of the index for look-ups by one key and by two; of each row one of them is 0."""
    sizes, place = np.unique(index.sizes, return_inverse=True)
    partner = sizes if own else bound.shortest(sizes)
    if bound.measure == "containment":
        partner = sizes
    need = bound.fewest(partner, sizes)
    single = depths(index, (sizes - need + 1)[place])
    if bound.measure == "containment" or _hits(index, single) <= HITS_A_ROW * len(index):
        return single, np.zeros_like(single)
    farthest = bound.longest(sizes, sizes)
    long = farthest - bound.fewest(farthest, bound.shortest(farthest)) + 2 > LONGEST_PREFIX
    alone = ((need < 2) | long)[place]
    double = depths(index, (sizes - need + 2)[place])
    return np.where(alone, single, 0), np.where(alone | (double < 2), 0, double)


def _hits(keys: Keys, depth: Numbers) -> float:
    """About how many look-ups by single keys would find something."""
    codes = single_entries(keys, np.arange(len(keys)), depth).codes
    counts = np.bincount(codes).astype(np.float64) if len(codes) else np.zeros(0)
    return float((counts * counts).sum() / 2)


def deepest(probe: Keys, index: Keys, depth: Numbers, bound: Bound, two: bool) -> Numbers:
    """How deep rows that look for others go, among rows of the index entered at `depth`."""
    sizes, place = np.unique(probe.sizes, return_inverse=True)
    shortest = bound.shortest(sizes)
    need = np.maximum(bound.fewest(sizes, shortest), 1 + two)
    most = np.where(shortest <= index.sizes[np.flatnonzero(depth)[-1]], sizes - need + 1 + two, 0)
    return depths(probe, most[place])
