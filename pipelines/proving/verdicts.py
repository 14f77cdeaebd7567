"""What the losses of the arms tell: each against `kept`, row by row and seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tuneworks.pipelines.proving.arms import BASE, KEPT, RANDOM, REJECTED, SHUFFLED, WITHOUT
from tuneworks.pipelines.proving.intervals import Interval, interval

Verdict = Literal["helps", "hurts", "no difference told"]

ON_TRIAL = {
    BASE: "training on the kept rows",
    RANDOM: "filtering",
    REJECTED: "leaving these out",
    SHUFFLED: "the right answer",
}
"""What an arm goes without; `kept` has it."""

Losses = NDArray[np.float64]
"""Of the shape (seeds, rows); of the model as it comes there is one row of them, for every seed the same."""


@dataclass(frozen=True, slots=True)
class Told:
    """One arm in the table."""

    arm: str
    rows: int
    tokens: int
    """In the loss of each training; 0 of the model as it comes."""
    loss: float
    """Mean over held-out rows and seeds of the mean loss of a row's answer tokens."""
    difference: Interval | None
    """Its loss less that of `kept`; None of `kept` itself."""
    verdict: Verdict | None

    @property
    def on_trial(self) -> str:
        return ON_TRIAL.get(self.arm, self.arm.removeprefix(f"{WITHOUT} "))


@dataclass(frozen=True, slots=True)
class Proof:
    run: str
    model: str
    seeds: int
    tokens: int
    steps: int
    held_out: int
    told: list[Told]
    notes: list[str] = field(default_factory=list)


def told(losses: Mapping[str, Losses], rows: Mapping[str, int], tokens: int, groups: Sequence[int]) -> list[Told]:
    """One line for each arm in `losses`, in their order."""
    kept = losses[KEPT]
    lines = []
    for arm, found in losses.items():
        apart = None if arm == KEPT else interval(found - kept, groups)
        learned = 0 if arm == BASE else tokens
        verdict = verdict_on(apart) if apart else None
        lines.append(Told(arm, rows.get(arm, 0), learned, float(found.mean()), apart, verdict))
    return lines


def verdict_on(difference: Interval) -> Verdict:
    """On what `kept` has and the arm has not, where no difference lies outside of the interval."""
    if difference.low > 0:
        return "helps"
    return "hurts" if difference.high < 0 else "no difference told"
