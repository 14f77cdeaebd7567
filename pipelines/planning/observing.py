"""An engine around the journal that notes each call of the pilot: what sort it was, when, how many tokens, what it
cost, and whether a model was asked or the journal had the reply."""

import time
from dataclasses import dataclass, field

from tuneworks.factory.engine import Around, Completion, Engine, Request, Usage


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call. Times are seconds of one clock."""

    sort: str
    """Calls of one purpose are asked with the same settings."""
    began: float
    ended: float
    prompt_tokens: int
    completion_tokens: int
    usd: float
    asked: bool
    """Whether a model was asked; else the reply was in the journal."""

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(slots=True)
class Notes:
    """What the pilot's calls were. `calls` are those of the step at work."""

    calls: list[Call] = field(default_factory=list)
    replayed: set[int] = field(default_factory=set)
    paid: list[Usage] = field(default_factory=list)
    """Of every reply that a model gave, also of those that nobody waited for any more."""

    def seen(self, reply: Completion, replayed: bool) -> None:
        """Told by the journal right before the reply is handed on."""
        if replayed:
            self.replayed.add(id(reply))
        else:
            self.paid.append(reply.usage)

    def take(self) -> list[Call]:
        """The calls since the last time, the first one first."""
        calls, self.calls = sorted(self.calls, key=lambda call: call.began), []
        return calls


class Observed(Around):
    def __init__(self, inner: Engine, notes: Notes) -> None:
        super().__init__(inner)
        self._notes = notes

    async def complete(self, request: Request) -> Completion:
        began = time.perf_counter()
        reply = await self._inner.complete(request)
        replayed = id(reply) in self._notes.replayed
        self._notes.replayed.discard(id(reply))
        used = reply.usage
        self._notes.calls.append(
            Call(
                sort_of(self.name, request), began, time.perf_counter(),
                used.prompt_tokens, used.completion_tokens, used.usd, not replayed,
            )
        )  # fmt: skip
        return reply

    def beside(self, other: Engine) -> Engine:
        return Observed(self._inner.beside(other), self._notes)


def sort_of(engine: str, request: Request) -> str:
    settings = (
        engine, request.max_tokens, request.temperature, request.top_p, request.presence_penalty,
        bool(request.opening), bool(request.candidates), bool(request.schema), bool(request.given),
    )  # fmt: skip
    return "|".join(map(str, settings))
