"""Engines that answer when a test says so, and requests for them."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from tuneworks.factory.engine import Completion, Engine, Request, Usage
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.record import Message

ASK = Request((Message("user", "Name a fish."),))
T = TypeVar("T")


def echo(request: Request) -> Completion:
    return Completion(f"reply {request.seed}", "length", Usage(5, 2, 0.5), {"1": -0.25, "2": -math.inf})


def requests(count: int) -> list[Request]:
    return [replace(ASK, seed=seed) for seed in range(count)]


def soon(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


class Batched(Engine):
    """Answers all that wait at once, as a model in this process does."""

    def __init__(self, reply: Callable[[Request], str] = lambda r: f"reply {r.seed}") -> None:
        self.name = "batched"
        self.calls = 0
        self.under_way = asyncio.Event()
        self._reply = reply
        self._waiting: list[tuple[Request, asyncio.Future[Completion]]] = []

    async def complete(self, request: Request) -> Completion:
        self.calls += 1
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self.under_way.set()
        return await future

    def answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for request, future in waiting:
            if not future.done():
                future.set_result(Completion(self._reply(request)))

    async def close(self) -> None:
        return None


class Ending(Batched):
    """Answers at the end what waits, in the way of an engine that lets a model finish."""

    async def close(self) -> None:
        self.answer()


class Closing(Scripted):
    """Says that it was closed, and how often an attempt was made again."""

    def __init__(self, answer: str) -> None:
        super().__init__(lambda _: answer, name=answer)
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1

    def retries(self) -> dict[str, tuple[int, float]]:
        return {"HTTP 429": (2, 1.5)}
