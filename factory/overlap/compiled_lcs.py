"""What two rows share, compiled: keys in common, or the longest common subsequence, 64 tokens at a time.

The subsequence is Hyyrö's bit-parallel one: a bit for each token of one row stays set until it is in the subsequence,
and each token of the other row costs an addition (Bit-Parallel LCS-length Computation Revisited, 2004).
"""

import numpy as np
from numpy.typing import NDArray

from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.jit import jit

Masks = NDArray[np.uint64]
"""By token: the places in one row, as bits."""

ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@jit
def ones(word: np.uint64) -> int:
    """How many bits of a word are set."""
    word = word - ((word >> ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@jit
def mark(masks: Masks, row: Numbers, sequence: bool) -> None:
    """Write down a row of at most 64 tokens, or a set of any size."""
    for place in range(len(row)):
        masks[row[place]] |= ONE << np.uint64(place) if sequence else ONE


@jit
def unmark(masks: Masks, row: Numbers) -> None:
    for place in range(len(row)):
        masks[row[place]] = np.uint64(0)


@jit
def in_common(masks: Masks, row: Numbers) -> int:
    """How many members of the set that is written down are in `row`."""
    common = np.uint64(0)
    for token in row:
        common += masks[token]
    return int(common)


@jit
def subsequence(masks: Masks, row: Numbers) -> int:
    """The length of the longest common subsequence of `row` and the row that is written down."""
    free = ALL
    for token in row:
        hit = free & masks[token]
        free = (free + hit) | (free - hit)
    return ones(~free)


@jit
def long_subsequence(masks: Masks, row: Numbers, other: Numbers, carry: NDArray[np.uint8]) -> int:
    """The same for two rows of any length; of each block of 64 tokens the additions carry into the next. `masks` are
    clear before and after."""
    carry[: len(other)] = 0
    common = 0
    for first in range(0, len(row), 64):
        block = row[first : first + 64]
        mark(masks, block, True)
        free = ALL
        for place in range(len(other)):
            hit = free & masks[other[place]]
            added = free + hit
            carried = added + np.uint64(carry[place])
            carry[place] = (added < free) | (carried < added)
            free = carried | (free - hit)
        unmark(masks, block)
        common += ones(~free)
    return common
