"""Reward: options plus one verb that says how good an answer is."""

from abc import abstractmethod
from typing import ClassVar

from tuneworks.factory.engine import Engine
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import Answer, Record


class Reward(Plugin):
    family: ClassVar[str] = "rewards"

    @abstractmethod
    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        """Higher is better; comparable between answers to the same prompt. Raises EngineError if it cannot be told."""
        ...
