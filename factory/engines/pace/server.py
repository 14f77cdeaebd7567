"""Server: one place that answers, one attempt a call. What tries again, waits and counts is Paced."""

from dataclasses import dataclass
from typing import Protocol

from tuneworks.factory.engine import Completion, Request


@dataclass(frozen=True, slots=True)
class Attempt:
    """A reply, and what the server said about its limits with it."""

    reply: Completion
    pause: float = 0.0
    """Seconds that the server's headers ask for before the next request; 0: none."""


class Server(Protocol):
    place: str
    """Its URL, for sentences."""

    async def attempt(self, request: Request) -> Attempt:
        """Ask once. Raise MayPass (this attempt failed, another may not), EngineError (this request cannot be answered)
        or EngineUnavailable (this server can answer none)."""
        ...

    async def close(self) -> None: ...
