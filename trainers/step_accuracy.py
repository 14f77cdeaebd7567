"""How well steps are judged: all of them, and the first error of each answer, as ProcessBench (2412.06559) counts it.

Most steps are right, so that a model which calls every step right has a high accuracy. Beside it stand that share, and
the mean of the accuracies on right and on wrong steps, which is a half for such a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tuneworks.factory.steps import NEUTRAL
from tuneworks.trainers.process import Neutral

HALF = 0.5
"""A step whose probability is not below it is called right."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer's steps; both have the shape (steps,)."""

    labels: Sequence[bool | None]
    said: Sequence[float]
    """Probabilities that the steps are right."""


def right(label: float | None, neutral: Neutral) -> bool | None:
    """Whether a step is right; None where nobody said, or what was said is left out."""
    if label is None or (label == NEUTRAL and neutral == "left_out"):
        return None
    return label >= NEUTRAL


def measured(judged: Sequence[Judged]) -> dict[str, Any]:
    """Needs a label at least. A share of nothing is None."""
    steps = [(label, p >= HALF) for one in judged for label, p in zip(one.labels, one.said, strict=True)]
    hits = {side: [called == side for label, called in steps if label is side] for side in (True, False)}
    both = [*hits[True], *hits[False]]
    return {
        "steps": len(both),
        "accuracy": fmean(both),
        "balanced_accuracy": fmean(map(fmean, hits.values())) if all(hits.values()) else None,
        "majority_share": max(map(len, hits.values())) / len(both),
        "first_error": first_errors(judged),
    }


def first_errors(judged: Sequence[Judged]) -> dict[str, Any]:
    """Of answers that are labelled up to their first error, or whole where there is none."""
    known = [(_first(one.labels), _first([p >= HALF for p in one.said])) for one in judged if _is_known(one.labels)]
    with_error = [wanted == found for wanted, found in known if wanted is not None]
    without = [found is None for wanted, found in known if wanted is None]
    both = [*with_error, *without]
    return {
        "answers": len(both),
        "found": sum(both),
        "accuracy": _mean(both),
        "accuracy_with_error": _mean(with_error),
        "accuracy_without_error": _mean(without),
    }


def _first(verdicts: Sequence[bool | None]) -> int | None:
    return next((at for at, verdict in enumerate(verdicts) if verdict is False), None)


def _is_known(labels: Sequence[bool | None]) -> bool:
    first = _first(labels)
    return None not in (labels if first is None else labels[:first])


def _mean(hits: Sequence[bool]) -> float | None:
    return fmean(hits) if hits else None
