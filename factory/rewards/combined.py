"""Combined: several rewards become one; what each part gave stays beside it.

The parts are asked at the same time, so that which requests wait together does not hang on how fast a part computes.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import REWARD, Answer, Record
from tuneworks.factory.reward import Reward, Scores
from tuneworks.factory.rewards.scoring import alone

By = Literal["mean", "sum", "worst", "gate"]

BELOW = 1e6
"""Taken off the safety score of an answer under the threshold, so that it ranks below every answer that passes."""


class Combined(Reward):
    """Several rewards as one: their mean, their sum, the worst of them, or one of them as a gate before the other."""

    kind: ClassVar[str] = "combined"

    rewards: tuple[Reward, ...] = Field(min_length=2)
    """The parts, each the name of a reward or {name: {option: value}}; what each gives is kept under its name."""
    by: By = "mean"
    """`mean` and `sum` are weighted; `worst` is the lowest part; `gate`: the second part, but an answer whose first
    part is under the threshold ranks below all that pass (Llama 2: safety goes before helpfulness)."""
    weights: tuple[float, ...] | None = None
    """One number a part for `mean` and `sum`; all 1 when left out."""
    threshold: float = Field(default=0.15, allow_inf_nan=False)
    """For `gate`: the first part's score from which on the second part decides."""

    @field_validator("rewards", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, (list, tuple)):
            raise ValueError("write a list of rewards, such as [judge, {classifier: {model: ...}}]")
        return tuple(Reward.nested(part, info) for part in value)

    @model_validator(mode="after")
    def _fits(self) -> "Combined":
        count = len(self.rewards)
        if self.by == "gate" and count != 2:
            raise ValueError(f"gate takes two rewards, safety and then helpfulness, and there are {count}")
        if self.weights is None:
            return self
        if self.by not in ("mean", "sum"):
            raise ValueError(f"weights mean nothing to by: {self.by}; leave them out, or write by: mean")
        if len(self.weights) != count:
            raise ValueError(f"there are {len(self.weights)} weights for {count} rewards; write one for each")
        if not all(map(math.isfinite, self.weights)) or (self.by == "mean" and not sum(self.weights) > 0):
            raise ValueError("weights are finite numbers, and those of a mean add up to more than 0")
        return self

    def names(self) -> list[str]:
        """Each part's kind; of several of one kind the second is kind_2."""
        seen: Counter[str] = Counter()
        names: list[str] = []
        for part in self.rewards:
            seen[part.kind] += 1
            names.append(part.kind if seen[part.kind] == 1 else f"{part.kind}_{seen[part.kind]}")
        return names

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return await alone(self, record, answer, engine)

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        by_part = await asyncio.gather(*(_part_scores(part, record, answers, engine) for part in self.rewards))
        return [self._together(parts) for parts in zip(*by_part, strict=True)]

    def _together(self, parts: Sequence[Scores]) -> Scores:
        """One answer's scores from those of its parts."""
        kept: dict[str, float] = {}
        given: list[float] = []
        for name, scores in zip(self.names(), parts, strict=True):
            if isinstance(scores, EngineError):
                return EngineError(f"{name} could not tell: {scores}")
            reward = scores.get(REWARD, math.nan)
            if not math.isfinite(reward):
                return EngineError(f"{name} could not tell: its score is {reward:g}")
            given.append(reward)
            kept |= _renamed(name, scores)
        try:
            return {**kept, REWARD: self._one(given)}
        except EngineError as error:
            return error

    def _one(self, given: Sequence[float]) -> float:
        if self.by == "worst":
            return min(given)
        if self.by == "gate":
            safety, helpfulness = given
            return gated(safety, helpfulness, self.threshold)
        weights = self.weights or (1.0,) * len(given)
        total = math.fsum(w * g for w, g in zip(weights, given, strict=True))
        return total / math.fsum(weights) if self.by == "mean" else total


async def _part_scores(part: Reward, record: Record, answers: Sequence[Answer], engine: Engine) -> Sequence[Scores]:
    try:
        return await part.scores(record, answers, engine)
    except EngineUnavailable:
        raise
    except EngineError as error:  # it can tell of none of them
        return [error] * len(answers)


def _renamed(name: str, scores: Mapping[str, float]) -> dict[str, float]:
    """A part's reward under the part's name; whatever else it gave behind that name."""
    return {name if key == REWARD else f"{name}.{key}": value for key, value in scores.items()}


def gated(safety: float, helpfulness: float, threshold: float) -> float:
    """Helpfulness where safety passes; else safety, below whatever passes.

    An answer's number hangs on it alone and not on the answers beside it, so it is moved down by a fixed distance.
    """
    if abs(safety) > BELOW / 4 or abs(helpfulness) > BELOW / 4:
        far = max(safety, helpfulness, key=abs)
        raise EngineError(f"a gate takes scores between {-BELOW / 4:g} and {BELOW / 4:g}, and one is {far:g}")
    return helpfulness if safety >= threshold else safety - BELOW
