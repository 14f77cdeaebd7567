"""Which of two answers a model prefers: the probabilities of the letters A and B, over both orders and some principles.

A model leans to one of the two places, whatever stands there. Asked in both orders and averaged (arXiv:2309.00267), the
leaning cancels, and how large it was is kept.
"""

import asyncio
import math
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tuneworks.factory.dice import Dice, Place
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Message
from tuneworks.factory.rlaif.prompts import RlaifPrompts

LETTERS = ("A", "B")

REASONING_TOKENS = 512

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Comparison:
    preferred: float
    """The probability that the first answer is the better one."""
    bias: float
    """How far apart the two orders are, from 0 to 1: the mean of |P(first, shown first) - P(first, shown second)|."""


@dataclass(frozen=True, slots=True)
class Comparer:
    engine: Engine
    prompts: RlaifPrompts
    dice: Dice
    reasoning: bool
    clamp: tuple[float, float]
    """No single reading counts for less or more than this."""

    async def compare(
        self, asked: str, first: str, second: str, principles: Sequence[str], *place: Place
    ) -> Comparison:
        """`place` says where the choice of these two texts stands: seeds follow from it."""
        readings = await all_of(
            self._reading(asked, *pair, principle, *place, number, order)
            for number, principle in enumerate(principles)
            for order, pair in enumerate(((first, second), (second, first)))
        )
        ahead = readings[0::2]
        behind = [1 - reading for reading in readings[1::2]]
        bias = sum(abs(a - b) for a, b in zip(ahead, behind, strict=True)) / len(principles)
        return Comparison(sum(ahead + behind) / len(readings), bias)

    async def _reading(self, asked: str, a: str, b: str, principle: str, *place: Place) -> float:
        """The probability of A, of what A and B have together."""
        question = filled(self.prompts.question, prompt=asked, first=a, second=b, principle=principle)
        turns = await self._reasoned(question, *place) if self.reasoning else (Message("user", question),)
        opening = self.prompts.opening
        reply = await self.engine.complete(Request(turns, opening=opening, candidates=letters_after(opening)))
        low, high = self.clamp
        return min(max(share_of_a(reply.log_probs), low), high)

    async def _reasoned(self, question: str, *place: Place) -> tuple[Message, ...]:
        """The question, what the model thinks of it, and the question for the letter."""
        ask = Message("user", f"{question}\n\n{self.prompts.reasoning}")
        seed = self.dice.number("reasoning", *place)
        reply = await self.engine.complete(Request((ask,), max_tokens=REASONING_TOKENS, temperature=0, seed=seed))
        if not reply.text.strip():
            raise EngineError("the reasoning is empty")
        return ask, Message("assistant", reply.text.strip()), Message("user", self.prompts.verdict)


def letters_after(opening: str) -> tuple[str, ...]:
    """A and B as they follow `opening`: after a word in Latin letters with the space that belongs to their token."""
    last = opening[-1:]
    return tuple(f" {letter}" for letter in LETTERS) if last.isascii() and last.isalnum() else LETTERS


def share_of_a(log_probs: Mapping[str, float]) -> float:
    known = {letter.strip(): value for letter, value in log_probs.items()}
    a, b = (math.exp(known.get(letter, -math.inf)) for letter in LETTERS)
    if not a + b > 0:
        raise EngineError(
            "neither A nor B has any probability; a model that compares must begin its reply with the letter, "
            "on a server that gives log-probabilities, such as vLLM"
        )
    return a / (a + b)


async def all_of(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; else the failure that stops a run, else the first in the order of `jobs`, whichever came first."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    failures = [r for r in results if isinstance(r, BaseException)]
    if failures:
        raise min(failures, key=lambda e: isinstance(e, EngineError) and not isinstance(e, EngineUnavailable))
    return [r for r in results if not isinstance(r, BaseException)]
