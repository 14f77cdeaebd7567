"""Best-of-N: sample several answers and score each; the best and the worst become a preference later.

Answers the record already has compete too. What cannot be used (empty, cut off, looping) goes before it is scored, and
so does a repeat of another answer: a pair of equals teaches nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from tuneworks.factory.answer import Answering
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.flight import in_order
from tuneworks.factory.judge import Judge
from tuneworks.factory.record import REWARD, Answer, Record, Rejected
from tuneworks.factory.reward import Reward


class BestOfN(Answering):
    """Sample N answers to each prompt and score every answer with a reward."""

    kind: ClassVar[str] = "best_of_n"

    n: int = Field(default=4, ge=1)
    """Answers sampled for each prompt."""
    reward: Reward = Judge()
    """What scores an answer: the name of a reward, or {name: {option: value}}."""
    temperature: float = Field(default=1.0, ge=0)
    """How far apart the samples are; 0 would make them all alike."""

    def calls(self, records: int) -> int:
        return records * 2 * self.n

    @field_validator("reward", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> Reward:
        return Reward.nested(value, info)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        async for items in in_order(partial(self._ranked, r, engine, dice) for r in records):
            for item in items:
                yield item

    async def _ranked(self, record: Record, engine: Engine, dice: Dice) -> list[Record | Rejected]:
        """The record with its usable answers scored, and every answer that was set aside."""
        samples = await asyncio.gather(*(self.sample(record, engine, dice, i) for i in range(self.n)))
        answers, aside = different(record, samples, dice.stage)
        scored = await asyncio.gather(*(self._scored(record, a, engine, dice.stage) for a in answers))
        kept = [s for s in scored if isinstance(s, Answer)]
        aside += [s for s in scored if isinstance(s, Rejected)]
        if not kept:
            return [*aside, Rejected(record, dice.stage, f"none of {self.n} answers can be used")]
        return [*aside, record.with_answers(kept)]

    async def _scored(self, record: Record, answer: Answer, engine: Engine, stage: str) -> Answer | Rejected:
        try:
            score = await self.reward.score(record, answer, engine)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Rejected(record.with_answers([answer]), stage, str(error), "answer")
        return replace(answer, scores={**answer.scores, REWARD: score})


def different(record: Record, samples: Sequence[Answer | Rejected], stage: str) -> tuple[list[Answer], list[Rejected]]:
    """The record's answers and the samples, each text once (white space and case aside); the rest with the reason."""
    seen: set[str] = set()
    kept: list[Answer] = []
    aside: list[Rejected] = []
    for item in [*record.answers, *samples]:
        if isinstance(item, Rejected):
            aside.append(item)
        elif (text := " ".join(item.text.split()).casefold()) in seen:
            aside.append(Rejected(record.with_answers([item]), stage, "the same as another answer", "answer"))
        else:
            seen.add(text)
            kept.append(item)
    return kept, aside
