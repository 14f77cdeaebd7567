"""Numbering words and n-grams, compiled: one look into a hash table each.

Compiled loops keep the arrays they are given; tables grow between their calls, as a loop that replaces its own arrays
runs many times slower.
"""

import numpy as np
from numpy.typing import NDArray

from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.jit import jit

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

LETTERS = np.array([b if 48 <= b < 58 or 97 <= b < 123 or b >= 128 else 0 for b in range(256)], dtype=np.uint8)
"""Bytes of words, which are in lower case already, and 0 for those between words."""

MIX = np.uint64(0x9E3779B97F4A7C15)
PRIME = np.uint64(0x100000001B3)
ONE = np.uint64(1)
HALF = np.uint64(32)


def split(data: Bytes, ends: Numbers) -> tuple[Numbers, Numbers]:
    """The words of rows that stop before `ends`, and where each row's begin. A row's last byte is no letter."""
    tokens, starts = np.empty(len(data) // 2 + 1, np.int64), np.zeros(len(ends) + 1, np.int64)
    first, size, hashes = np.empty(1 << 12, np.int64), np.empty(1 << 12, np.int64), np.empty(1 << 12, np.uint64)
    table = np.full(1 << 13, -1, np.int64)
    row, known = _split_rows(data, ends, LETTERS, 0, 0, tokens, starts, first, size, hashes, table)
    while row < len(ends):
        at = int(ends[row - 1]) if row else 0
        room = 1 << (2 * known + int(ends[row]) - at).bit_length()
        first, size, hashes = np.resize(first, room), np.resize(size, room), np.resize(hashes, room)
        table = _placed(hashes, known, 2 * room)
        row, known = _split_rows(data, ends, LETTERS, row, known, tokens, starts, first, size, hashes, table)
    return tokens[: starts[-1]], starts


@jit
def _split_rows(
    data: Bytes, ends: Numbers, letters: Bytes, row: int, known: int, tokens: Numbers, starts: Numbers,
    first: Numbers, size: Numbers, hashes: Words, table: Numbers,
) -> tuple[int, int]:  # fmt: skip
    """Rows from `row` on, while there is room for every word of the next: the row that is next, and the words known.

    `first`, `size` and `hashes` say where the known words stand and what they hash to, `table` finds them by hash."""
    mask, at, count = np.uint64(len(table) - 1), ends[row - 1] if row else 0, starts[row]
    while row < len(ends) and known + (ends[row] - at) // 2 < len(first):
        hashed, begin, end = np.uint64(0), at, ends[row]
        while at < end:
            byte = letters[data[at]]
            at += 1
            if byte:
                hashed = (hashed ^ np.uint64(byte)) * PRIME + ONE
                continue
            length = at - 1 - begin
            if length:
                slot = ((hashed * MIX) >> HALF) & mask
                number = table[slot]
                while number >= 0 and not (
                    hashes[number] == hashed and size[number] == length and _same(data, first[number], begin, length)
                ):
                    slot = (slot + ONE) & mask
                    number = table[slot]
                if number < 0:
                    number = known
                    table[slot], first[known], size[known], hashes[known] = known, begin, length, hashed
                    known += 1
                tokens[count] = number
                count += 1
            hashed, begin = np.uint64(0), at
        row += 1
        starts[row] = count
    return row, known


@jit
def _same(data: Bytes, one: int, other: int, length: int) -> bool:
    k = 0
    while k < length and data[one + k] == data[other + k]:
        k += 1
    return k == length


@jit
def _placed(hashes: Words, known: int, size: int) -> Numbers:
    """A table of this size, a power of two, that finds the known words."""
    table, mask = np.full(size, -1, np.int64), np.uint64(size - 1)
    for number in range(known):
        slot = ((hashes[number] * MIX) >> HALF) & mask
        while table[slot] >= 0:
            slot = (slot + ONE) & mask
        table[slot] = number
    return table


@jit
def dense(numbers: Numbers) -> Numbers:
    """Numbers from 0 in order of first appearance, equal where the given ones are."""
    size = 1 << 4
    while size < 2 * len(numbers):
        size *= 2
    table, mask = np.full(size, -1, np.int32), np.uint64(size - 1)
    made, seen, known = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.int64), 0
    for at in range(len(numbers)):
        wanted = numbers[at]
        slot = ((np.uint64(wanted) * MIX) >> HALF) & mask
        while table[slot] >= 0 and seen[table[slot]] != wanted:
            slot = (slot + ONE) & mask
        if table[slot] < 0:
            table[slot] = known
            seen[known] = wanted
            known += 1
        made[at] = table[slot]
    return made
