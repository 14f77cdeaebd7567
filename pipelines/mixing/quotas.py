"""How many rows each source gives to the mixture.

The rule is T5's and FLAN's (arXiv:1910.10683, 2109.01652): rate = min(scale x n, cap) ** (1/temperature), made to add
up to 1, in that order. A temperature over 1 draws the rates together, so that small sources count for more. Quotas are
whole numbers that add up exactly, by the largest remainder. No row is taken more often than asked: what a source is
too small to give is shared out among the others by the same rates. Rows stand for tokens where tokens are mixed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tuneworks.filters.shares import shared_out


@dataclass(frozen=True, slots=True)
class Quota:
    """What one source gives, and why."""

    rows: int
    """How many it has."""
    weighs: float
    """min(scale x rows, cap)."""
    rate: float
    """Its share of the mixture, by the rule or fixed."""
    quota: int
    fixed: bool = False
    """Whether the recipe gave its share."""

    @property
    def epochs(self) -> float:
        """How many times it is gone through."""
        return self.quota / self.rows if self.rows else 0.0


def quotas(
    rows: Mapping[str, int],
    cap: int | None = None,
    temperature: float = 1.0,
    scale: float = 1.0,
    size: int | None = None,
    shares: Mapping[str, float] | None = None,
    repeat: int = 1,
) -> dict[str, Quota]:
    """For each source. Without a `size` the mixture is as large as it can be while the rates hold exactly and no source
    gives more than its rows, `repeat` times, or the cap. Raises nothing: a source without rows gives none."""
    fixed = {name: share for name, share in (shares or {}).items() if name in rows}
    weighs = {name: min(scale * n, cap if cap is not None else math.inf) for name, n in rows.items()}
    rates = _rates({name: w for name, w in weighs.items() if rows[name]}, temperature, fixed)
    held = {name: n * repeat for name, n in rows.items()}
    most = {name: n if cap is None or name in fixed else min(n, cap) for name, n in held.items()}
    limits, wanted = (most, _largest(rates, most)) if size is None else (held, size)
    shares_of = [rates.get(name, 0.0) for name in rows]
    given = shared_out([limits[name] for name in rows], shares_of, wanted)
    return {
        name: Quota(n, weighs[name], rate, quota, name in fixed)
        for (name, n), rate, quota in zip(rows.items(), shares_of, given, strict=True)
    }


def _rates(weighs: Mapping[str, float], temperature: float, fixed: Mapping[str, float]) -> dict[str, float]:
    """Fixed shares stay as they are; the rule shares out the rest."""
    largest = max((w for name, w in weighs.items() if name not in fixed), default=1.0)
    # By the largest first: a power of a large number is more than a float holds.
    raised = {name: (w / largest) ** (1 / temperature) for name, w in weighs.items() if name not in fixed}
    held = sum(share for name, share in fixed.items() if name in weighs)
    total, rest = sum(raised.values()), max(0.0, 1 - held)
    rates = {name: fixed[name] if name in fixed else rest * raised[name] / total for name in weighs}
    whole = sum(rates.values())
    return {name: rate / whole for name, rate in rates.items()} if whole else {}


def _largest(rates: Mapping[str, float], most: Mapping[str, int]) -> int:
    """The size at which the first source has given all it may."""
    sizes = [most[name] / rate for name, rate in rates.items() if rate > 0]
    return math.floor(min(sizes) + 1e-9) if sizes else 0
