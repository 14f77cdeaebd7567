"""One batch that is with the server: waited for, its answers brought down, and read one by one."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from openai.types import Batch as ServerBatch

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.batch_lines import Answers, read
from tuneworks.factory.engines.batch_server import BatchServer, Clock
from tuneworks.factory.errors import EngineUnavailable, MayPass
from tuneworks.factory.prices import Price
from tuneworks.factory.quoting import one_line

FIRST_LOOK, LAST_LOOK, GROWTH = 5.0, 60.0, 1.5
"""Seconds between two looks at a batch: they begin with the first and grow up to the last."""

T = TypeVar("T")

ENDED = ("completed", "failed", "expired", "cancelled")


class Batch:
    """It is looked at only from when somebody asks for one of its answers."""

    def __init__(
        self, digest: str, batch_id: str, keys: Iterable[str], server: BatchServer, clock: Clock, picked_up: bool
    ) -> None:
        self.digest = digest
        self.id = batch_id
        self.keys = set(keys)
        """Of the requests that it may still answer."""
        self.total = len(self.keys)
        self.done = 0
        self.crowded = False
        """It was refused because the account has too many tokens waiting at the server."""
        self.refusal = ""
        """Why the whole batch failed."""
        self.ended: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        self._server = server
        self._clock = clock
        self._picked_up = picked_up
        self._old = False
        """It had ended before this process looked at it."""
        self._status = ""
        self._readers = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def followed(self) -> bool:
        return self._task is not None and not self.ended.done()

    @property
    def fetched(self) -> bool:
        """Its answers are here."""
        return self.ended.done() and not self.ended.exception()

    @property
    def idle(self) -> bool:
        """Nobody waits for an answer of it."""
        return not self._readers

    def follow(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._follow())

    async def reply(self, key: str, request: Request, price: Price | None) -> Completion:
        self.follow()
        self._readers += 1
        try:
            answers = await asyncio.shield(self.ended)
            if key not in answers:
                raise self._without_answer()
            return read(answers.line(key), request, self._server.place, price)
        finally:
            self._readers -= 1

    def stop(self, reason: EngineUnavailable) -> None:
        """Wait no longer. The batch goes on at the server."""
        if self._task is not None:
            self._task.cancel()
        if not self.ended.done():
            refuse(self.ended, reason)
        elif self.fetched:
            self.ended.result().close()

    async def _follow(self) -> None:
        try:
            answers = await self._fetched(await self._end())
        except Exception as error:  # whatever it is, those who wait must hear of it
            if not self.ended.done():
                refuse(self.ended, error)
        else:
            self.ended.set_result(answers)

    async def _end(self) -> ServerBatch:
        pause, first = FIRST_LOOK, True
        while True:
            seen = await self._server.look(self.id)
            self.done = seen.request_counts.completed + seen.request_counts.failed if seen.request_counts else 0
            if seen.status in ENDED:
                self._old = self._picked_up and first
                return seen
            first = False
            await self._clock.sleep(pause)
            pause = min(GROWTH * pause, LAST_LOOK)

    async def _fetched(self, seen: ServerBatch) -> Answers:
        self._status = seen.status
        if seen.status == "failed":
            errors = (seen.errors.data if seen.errors else None) or []
            self.crowded = any(error.code == "token_limit_exceeded" for error in errors)
            said = "; ".join(error.message or error.code or "" for error in errors)
            bare = self._server.place.key.out_of(said.encode("utf-8", "replace")).decode()
            self.refusal = one_line(bare) or "it gives no reason"
        answers = Answers()
        for file_id in (seen.output_file_id, seen.error_file_id):
            if file_id:
                await self._server.download(file_id, answers.file)
        await asyncio.to_thread(answers.find)
        return answers

    def _without_answer(self) -> MayPass | EngineUnavailable:
        place = self._server.place.url
        if self.crowded:
            return MayPass(f"the server at {place} has too much waiting: {self.refusal}")
        if self._status == "failed" and not self._old:
            return EngineUnavailable(
                f"the server at {place} refused the batch {self.id} ({self.refusal}); put that right and build again"
            )
        if self._status == "cancelled" and not self._old:
            return EngineUnavailable(
                f"the batch {self.id} was cancelled at {place}; build again to submit what it left unanswered"
            )
        return MayPass(f"the batch {self.id} ended without an answer", down=self._status == "expired")


def refuse(future: "asyncio.Future[T]", reason: Exception) -> None:
    """Let those who wait know. Looks at the failure, for it may be that nobody waits."""
    future.set_exception(reason)
    future.exception()
