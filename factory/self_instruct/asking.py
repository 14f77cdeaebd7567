"""Asking for a list: again with another seed where the reply cannot be read, and then the raw reply is kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.form import TRIES, Unreadable, whole_characters
from tuneworks.factory.record import Answer, Fact, Record, Rejected

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lost:
    """No reply to the request could be read: why, and the last reply, where there was one."""

    request: Request
    reason: str
    raw: str
    by: str

    def rejected(self, stage: str, shown: Sequence[Record], source: str, meta: Mapping[str, Fact]) -> Rejected:
        """As a reply from which no record came."""
        answers = [Answer(self.raw, by=self.by)] if self.raw.strip() else []
        parents = [example.id for example in shown]
        asked = Record.born(self.request.messages, answers=answers, source=source, parents=parents, meta=meta)
        return Rejected(asked, stage, self.reason, "reply")


async def read_reply(engine: Engine, request: Request, read: Callable[[Completion], T]) -> T | Lost:
    """What `read` makes of a reply; it raises Unreadable.

    A request with a schema is asked again. A plain one is not: the next call, with other examples, does as well.
    """
    reason = raw = ""
    for attempt in range(TRIES if request.schema else 1):
        seed = Dice(request.seed, "again").number(attempt) if attempt else request.seed
        try:
            reply = await engine.complete(replace(request, seed=seed))
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Lost(request, str(error), raw, engine.name)
        raw = whole_characters(reply.text)
        try:
            return read(reply)
        except Unreadable as error:
            reason = str(error)
    return Lost(request, reason, raw, engine.name)
