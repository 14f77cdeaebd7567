"""The bits that stand for a row's keys, compiled."""

import numpy as np
from numpy.typing import NDArray

from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.jit import jit

MIX = np.uint64(0x9E3779B97F4A7C15)


@jit
def bits_of(ranks: Numbers, starts: Numbers) -> NDArray[np.uint64]:
    """128 bits a row; each of its keys flips one."""
    bits = np.zeros((len(starts) - 1, 2), np.uint64)
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1]):
            place = (np.uint64(ranks[at]) * MIX) >> np.uint64(57)
            bits[row, place >> np.uint64(6)] ^= np.uint64(1) << (place & np.uint64(63))
    return bits
