"""How many rows each source gives to the mixture.

The rule is T5's and FLAN's (arXiv:1910.10683, 2109.01652): rate = min(scale x n, cap) ** (1/temperature), made to add
up to 1, in that order. A temperature over 1 draws the rates together, so that small sources count for more. Quotas are
whole numbers that add up exactly, by the largest remainder. No row is taken twice: what a source is too small to give
is shared out among the others by the same rates.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


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


def quotas(
    rows: Mapping[str, int],
    cap: int | None = None,
    temperature: float = 1.0,
    scale: float = 1.0,
    size: int | None = None,
    shares: Mapping[str, float] | None = None,
) -> dict[str, Quota]:
    """For each source. Without a `size` the mixture is as large as it can be while the rates hold exactly and no source
    gives more than its rows or the cap. Raises nothing: a source without rows gives none."""
    fixed = {name: share for name, share in (shares or {}).items() if name in rows}
    weighs = {name: min(scale * n, cap if cap is not None else math.inf) for name, n in rows.items()}
    rates = _rates({name: w for name, w in weighs.items() if rows[name]}, temperature, fixed)
    most = {name: rows[name] if cap is None or name in fixed else min(rows[name], cap) for name in rows}
    wanted = _largest(rates, most) if size is None else size
    given = _shared_out(wanted, rates, most if size is None else dict(rows))
    return {
        name: Quota(rows[name], weighs[name], rates.get(name, 0.0), given.get(name, 0), name in fixed) for name in rows
    }


def _rates(weighs: Mapping[str, float], temperature: float, fixed: Mapping[str, float]) -> dict[str, float]:
    """Fixed shares stay as they are; the rule shares out the rest."""
    raised = {name: w ** (1 / temperature) for name, w in weighs.items() if name not in fixed}
    held = sum(share for name, share in fixed.items() if name in weighs)
    total, rest = sum(raised.values()), max(0.0, 1 - held)
    rates = {name: fixed[name] if name in fixed else rest * raised[name] / total for name in weighs}
    whole = sum(rates.values())
    return {name: rate / whole for name, rate in rates.items()} if whole else {}


def _largest(rates: Mapping[str, float], most: Mapping[str, int]) -> int:
    """The size at which the first source has given all it may."""
    sizes = [most[name] / rate for name, rate in rates.items() if rate > 0]
    return math.floor(min(sizes) + 1e-9) if sizes else 0


def _shared_out(size: int, rates: Mapping[str, float], most: Mapping[str, int]) -> dict[str, int]:
    """Whole numbers in proportion to the rates, none above what the source may give, adding up to `size` or to all."""
    given: dict[str, int] = {}
    open_rates = {name: rate for name, rate in rates.items() if rate > 0}
    left = min(size, sum(most[name] for name in open_rates))
    while open_rates:
        part = largest_remainder(left, open_rates)
        full = {name: most[name] for name in open_rates if part[name] >= most[name]}
        if not full:
            return given | part
        given |= full
        left -= sum(full.values())
        open_rates = {name: rate for name, rate in open_rates.items() if name not in full}
    return given


def largest_remainder(size: int, rates: Mapping[str, float]) -> dict[str, int]:
    """`size` split by the rates into whole numbers: each gets its floor, the largest remainders one more; of equal ones
    the first. In fractions, so that rounding decides nothing."""
    exact = {name: Fraction(rate) for name, rate in rates.items()}
    total = sum(exact.values())
    parts = {name: size * rate / total for name, rate in exact.items()}
    whole = {name: math.floor(part) for name, part in parts.items()}
    more = sorted(parts, key=lambda name: whole[name] - parts[name])[: size - sum(whole.values())]
    return {name: count + (name in more) for name, count in whole.items()}
