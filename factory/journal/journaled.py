"""Journaled: an engine around an engine, that asks nothing twice and loses no reply."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Protocol, runtime_checkable

from tuneworks.factory.engine import Around, Completion, Engine, Request
from tuneworks.factory.engines.batch_ledger import Ledger
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass
from tuneworks.factory.flight import calm
from tuneworks.factory.journal.call import Call, Failure, key_for, written
from tuneworks.factory.journal.commits import Commits
from tuneworks.factory.journal.replayed import Replayed
from tuneworks.factory.journal.store import Journal

Seen = Callable[[Completion, bool], None]
"""Told of every reply, and whether it came out of the journal."""

CUT = 5.0
"""Seconds that a cancelled request may take to end."""


@runtime_checkable
class Retrying(Protocol):
    def retries(self) -> Mapping[str, tuple[int, float]]:
        """Attempts that were made again: by kind of failure how often, and the seconds lost."""
        ...


@runtime_checkable
class Submitting(Protocol):
    def attach(self, ledger: Ledger) -> None:
        """Where batches are noted. Called before the first request."""


class Journaled(Around):
    """Answers from the journal where it can, else asks, writes down, then answers."""

    def __init__(
        self, inner: Engine, journal: Journal, seen: Seen = lambda reply, replayed: None, replay: bool = False
    ) -> None:
        """With `replay` no model is asked: a request that could not be answered when it was asked fails again, with the
        same sentence, and one that was never asked is refused."""
        super().__init__(Replayed(inner, journal.path) if replay else inner)
        self._journal = journal
        self._seen = seen
        self._replay = replay
        self._commits = Commits(journal, inner.batches)
        self._asking: dict[str, asyncio.Task[Completion]] = {}
        self._calls: set[asyncio.Task[Completion]] = set()
        """Until their replies are durable."""
        self._at_model: set[asyncio.Task[Any] | None] = set()
        """Those of them that have no reply yet."""
        self._beside: list[Engine] = []
        self._closed = False
        if isinstance(self._inner, Submitting):
            self._inner.attach(journal.batches)

    @property
    def status(self) -> str:
        return "; ".join(filter(None, (engine.status for engine in (self._inner, *self._beside))))

    async def complete(self, request: Request) -> Completion:
        asked = written(request)
        key = key_for(self.name, asked)
        task = self._asking.get(key)
        if task is None:
            held = self._journal.held(key)
            if held is not None:
                self._seen(held, True)
                return held
            task = self._begun(key, asked, request)
        return await asyncio.shield(task)

    def _begun(self, key: str, asked: str, request: Request) -> "asyncio.Task[Completion]":
        """The call in a task of its own: its reply is kept even if nobody waits for it any more."""
        if self._replay and (error := self._journal.failed(key)) is not None:
            raise EngineError(error)
        task = self._asking[key] = asyncio.create_task(self._ask(key, asked, request))
        self._calls.add(task)
        task.add_done_callback(partial(self._ended, key))
        return task

    def _ended(self, key: str, task: "asyncio.Task[Completion]") -> None:
        """Forget the task, and look at its failure: nobody may be waiting for it any more."""
        del self._asking[key]
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()

    async def _ask(self, key: str, asked: str, request: Request) -> Completion:
        began = time.perf_counter()
        try:
            reply = await self._answered(request)
        except (EngineUnavailable, MayPass):
            raise
        except EngineError as error:
            await self._commits.kept(
                Failure(key, self.name, asked, str(error), time.perf_counter() - began, time.time())
            )
            raise
        used = reply.usage  # counted at once: until it is written down, other calls would be let in
        self.budget.spend(used.prompt_tokens + used.completion_tokens, used.usd)
        await self._commits.kept(Call(key, self.name, asked, reply, time.perf_counter() - began, time.time()))
        self._seen(reply, False)
        return reply

    async def _answered(self, request: Request) -> Completion:
        if self._closed:
            raise self._stopped()
        self.budget.admit()
        task = asyncio.current_task()
        self._at_model.add(task)
        try:
            return await self._inner.complete(request)
        except asyncio.CancelledError:
            if self._closed:
                raise self._stopped() from None
            raise
        finally:
            self._at_model.discard(task)

    def beside(self, other: Engine) -> Engine:
        """`other` behind the same journal and under the same budget, told of in the same way; closed with this one."""
        other.budget = self.budget
        journaled = Journaled(other, self._journal, self._seen, self._replay)
        # Of one name are one model: what the one is asking the other need not ask.
        journaled._commits, journaled._asking = self._commits, self._asking
        self._beside.append(journaled)
        return journaled

    async def close(self) -> None:
        """The inner engine first: it says what is still answered, and all of that is written down."""
        if self._closed:
            return
        async with AsyncExitStack() as rest:
            for engine in self._beside:
                rest.push_async_callback(engine.close)
            rest.callback(self._write_retries)
            self._closed = True
            try:
                await self._inner.close()
                await calm()
            finally:
                await self._end()

    async def _end(self) -> None:
        """Give up what the engine did not answer. What it did is durable when this ends, also where the build is being
        torn down and no commit may come any more."""
        for task in filter(None, self._at_model):
            task.cancel()
        self._commits.write_rest()
        if self._calls:
            await asyncio.wait(self._calls, timeout=CUT)

    def _write_retries(self) -> None:
        if isinstance(self._inner, Retrying):
            self._journal.write_retries(self.name, self._inner.retries())

    def _stopped(self) -> EngineUnavailable:
        return EngineUnavailable(f"the engine {self.name} was stopped; build again to go on")
