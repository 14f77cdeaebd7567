"""Answer: ask the model each record's prompt, as it stands."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field

from tuneworks.factory.dice import Dice, Place
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.flight import in_order
from tuneworks.factory.generator import Generator
from tuneworks.factory.record import Answer, Message, Record, Rejected
from tuneworks.factory.wording import repetition


class Answering(Generator):
    """Options of every generator that samples answers to a record's prompt."""

    max_tokens: int = Field(default=512, ge=1)
    """Most tokens an answer may have; one that is cut off there is not used."""
    temperature: float = Field(default=0.7, ge=0)
    """0 takes the likeliest token each time."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Sample from the likeliest tokens that hold this share of the probability."""
    guidance: str = ""
    """Said to the model as the system message when it is asked, and not kept in the record."""

    def request(self, record: Record, dice: Dice, *place: Place) -> Request:
        guide = (Message("system", self.guidance),) if self.guidance else ()
        return Request(
            messages=guide + record.prompt,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=dice.number(record.id, *place),
        )

    async def sample(self, record: Record, engine: Engine, dice: Dice, *place: Place) -> "Answer | Rejected":
        """One answer that can be used, or why there is none."""
        try:
            reply = await engine.complete(self.request(record, dice, *place))
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Rejected(record.with_answers([]), dice.stage, str(error), "answer")
        answer = Answer(reply.text.strip(), by=engine.name)
        reason = unusable(reply)
        return answer if reason is None else Rejected(record.with_answers([answer]), dice.stage, reason, "answer")


def unusable(reply: Completion) -> str | None:
    """Why a reply is not an answer, or None."""
    if not reply.text.strip():
        return "the reply is empty"
    if reply.finish == "length":
        return f"cut off after {reply.usage.completion_tokens} tokens"
    return repetition(reply.text)


class AnswerPrompts(Answering):
    """Ask the model each record's prompt and add its answer."""

    kind: ClassVar[str] = "answer"

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        async for record, answer in in_order((partial(self._answered, r, engine, dice) for r in records), engine.room):
            if isinstance(answer, Answer):
                yield record.with_answers([*record.answers, answer])
            else:
                whole = record.with_answers([*record.answers, *answer.record.answers])
                yield Rejected(whole, answer.stage, answer.reason)

    async def _answered(self, record: Record, engine: Engine, dice: Dice) -> "tuple[Record, Answer | Rejected]":
        return record, await self.sample(record, engine, dice)
