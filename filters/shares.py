"""Sharing out: whole numbers in proportion to wanted shares, where each part gives no more than it has."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction


def shared_out(counts: Sequence[int], shares: Sequence[float], total: int) -> list[int]:
    """How many to take of each part so that `total` are taken and their shares come closest to those wanted.

    A part that holds fewer than its share gives all it has, and the others make up for it, in proportion. In fractions,
    so that rounding decides nothing.
    """
    taken = [0] * len(counts)
    wants = {at: Fraction(shares[at]) for at, count in enumerate(counts) if count and shares[at] > 0}
    missing = min(total, sum(counts[at] for at in wants))
    while missing and wants:
        weight = sum(wants.values())
        wanted = {at: missing * share / weight for at, share in wants.items()}
        full = {at for at in wants if wanted[at] >= counts[at]}
        if not full:
            return _rounded(taken, wanted, missing)
        for at in full:
            taken[at] = counts[at]
            missing -= counts[at]
            del wants[at]
    return taken


def _rounded(taken: list[int], wanted: Mapping[int, Fraction], total: int) -> list[int]:
    """Whole numbers that add up to `total`: the largest remainders are rounded up, of equal ones the first."""
    whole = {at: math.floor(value) for at, value in wanted.items()}
    order = sorted(wanted, key=lambda at: (whole[at] - wanted[at], at))
    up = set(order[: total - sum(whole.values())])
    return [whole[at] + (at in up) if at in whole else count for at, count in enumerate(taken)]
