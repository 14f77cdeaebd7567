"""Reward: options plus one verb that says how good an answer is."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import REWARD, Answer, Record

Scores = Mapping[str, float] | EngineError
"""The scores to keep on an answer, "reward" among them; or why there are none."""


def whole_prompt(record: Record) -> str:
    """All that is asked, its turns apart by an empty line: for what takes a text and no conversation."""
    return "\n\n".join(message.content for message in record.prompt)


class Reward(Plugin):
    family: ClassVar[str] = "rewards"

    @abstractmethod
    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        """Higher is better; comparable between answers to the same prompt. Raises EngineError if it cannot be told."""
        ...

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        """For each answer. A reward that scores a batch at once does it here, and one made of parts keeps them here.

        What shares a batch is the answers of one record, so that rounding never hangs on what else is under way.
        """
        return list(await asyncio.gather(*(self._alone(record, answer, engine) for answer in answers)))

    async def _alone(self, record: Record, answer: Answer, engine: Engine) -> Scores:
        try:
            return {REWARD: await self.score(record, answer, engine)}
        except EngineUnavailable:
            raise
        except EngineError as error:
            return error
