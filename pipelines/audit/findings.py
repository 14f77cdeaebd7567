"""What an audit found, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import sqrt
from typing import Any

CONFIDENT = 1.959964
"""The normal quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How many pairs of how many, and a few of their ids."""

    count: int
    of: int
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """The two answers' lengths in one unit, over the pairs that stand."""

    longer: Finding
    """The chosen answer is the longer one."""
    shorter: Finding
    equal: Finding
    interval: tuple[float, float]
    """Wilson's 95 % interval of the share of longer ones."""
    median_ratio: float | None
    """Chosen over rejected; None where no rejected answer has a length."""
    accuracy: float
    """How often "the longer answer is the better one" is right, equals counted half: 0.5 is chance."""
    spearman: float | None
    """Rank correlation of the margin with the difference of lengths; None where margins are unknown or all alike."""


@dataclass(frozen=True, slots=True)
class Margins:
    """Of the rewards, over the pairs that stand and have one."""

    known: int
    median: float | None
    when_longer: float | None
    """The median where the chosen answer has more characters."""
    when_shorter: float | None


@dataclass(frozen=True, slots=True)
class Audit:
    """`seen` rows hold two answers to compare; of those, `pairs` stand and the others were set aside. Each finding says
    of which it counts: what sets a pair aside is counted of all that were seen."""

    seen: int
    pairs: int
    unpaired: int
    """Records without two answers to compare."""
    aside: Mapping[str, int]
    """Why no pair was made, the most frequent first; numbers folded together."""
    differing_prompts: Finding
    empty: Finding
    identical: Finding
    """Both answers are the same text, white space aside."""
    ties: Finding
    """A margin of 0, or a probability of 0.5."""
    near_identical: Finding
    duplicate_prompts: Finding
    """The same conversation before the answers as in an earlier pair."""
    duplicate_pairs: Finding
    """The same conversation and both answers as in an earlier pair."""
    contradictory: Finding
    """Another pair of the same prompt has the two answers the other way round."""
    reversed: Finding
    """The numbers speak against the label: a margin below 0, or a probability below 0.5."""
    uncertain: Finding
    """A probability near 0.5, but not at it."""
    refusals_chosen: Finding
    refusals_rejected: Finding
    repeated_chosen: Finding
    """The chosen answer is the chosen one of several other prompts too."""
    characters: Lengths
    words: Lengths
    margins: Margins


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's score interval of a share; everything where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    share, z = count / of, CONFIDENT
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def as_json(audit: Audit) -> dict[str, Any]:
    """Plain values for a card or a manifest, floats rounded so that every machine writes the same."""
    return {field.name: _plain(getattr(audit, field.name)) for field in fields(audit)}


def _plain(value: object) -> Any:
    if isinstance(value, Finding):
        return {"count": value.count, "of": value.of, "share": _plain(value.share), "examples": list(value.examples)}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
