"""A plan: what a run is expected to ask, cost and keep, with the pilot that it comes from."""

from dataclasses import dataclass

import numpy as np

from tuneworks.pipelines.planning.chances import Draws


@dataclass(frozen=True, slots=True)
class Range:
    """Nine times out of ten what comes lies between `low` and `high`; half of the time it is below `middle`."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, draws: Draws) -> "Range":
        low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95))
        return cls(float(low), float(middle), float(high))

    @property
    def exact(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class Expected:
    """What a step, or a whole run, is expected to do."""

    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    tokens: Range
    usd: Range
    seconds: Range | None
    """None where the pilot could not measure it."""

    @classmethod
    def of(cls, calls: Draws, used: Draws, seconds: Draws | None) -> "Expected":
        """`used` is draws x (prompt tokens, completion tokens, USD)."""
        prompt, completion, usd = used.T
        timed = None if seconds is None else Range.of(seconds)
        tokens = prompt + completion
        return cls(Range.of(calls), Range.of(prompt), Range.of(completion), Range.of(tokens), Range.of(usd), timed)


@dataclass(frozen=True, slots=True)
class StepPlan:
    title: str
    taken: Range
    kept: Range
    expected: Expected
    reached: bool
    """Whether a record of the pilot came so far; without one nothing is known of the step."""
    asks: bool


@dataclass(frozen=True, slots=True)
class PilotCost:
    records: int
    """Most records about which a step of it asked a model."""
    calls: int
    tokens: int
    usd: float
    seconds: float
    replayed: int
    """Replies that were in the journal already."""


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[StepPlan, ...]
    total: Expected
    rows: Range
    """Records at the end of the run."""
    pilot: PilotCost
    notes: tuple[str, ...]
    """What a reader must know beside the numbers, a sentence each."""

    @property
    def asks(self) -> bool:
        return any(step.asks for step in self.steps)
