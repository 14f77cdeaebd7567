"""The batch engine: requests gathered, submitted together, and answered within a day.

Requests gather until nothing new comes, and go up as a file. The ledger (the journal's) says which batches are with the
server, so whatever happens to this process, its next run waits for the same batches: a request that is in one is
submitted to no other. An answer counts as fetched when the journal holds it; until then its batch stays in the ledger.
"""

import asyncio
import hashlib
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.batch_follow import Batch, refuse
from tuneworks.factory.engines.batch_intake import Intake
from tuneworks.factory.engines.batch_ledger import Ledger, NoLedger, OpenBatch
from tuneworks.factory.engines.batch_lines import Limits, write
from tuneworks.factory.engines.batch_server import BatchServer, Clock, WallClock
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass
from tuneworks.factory.flight import calm
from tuneworks.factory.journal import key_of
from tuneworks.factory.prices import Price

TRIES = 3
"""Batches that a request may be in, one after the other, before it counts as one that cannot be answered."""

QUIET = 2.0
"""Seconds without a new request that count as 'no more come until these are answered'."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that is in no batch yet."""

    request: Request
    placed: "asyncio.Future[Batch]"


class BatchEngine(Engine):
    room = Limits().requests

    def __init__(
        self, live: OpenAI, price: Price | None, clock: Clock | None = None, limits: Limits | None = None
    ) -> None:
        """`live` is the same model on the same server, answering at once; `price` is that of a batch."""
        self._place = live.at()[0]
        # As the live engine: what a batch changes is when, not what, so the replies hold for both.
        self.name = live.name
        self.structured = live.structured
        self._price = price
        self._clock = clock or WallClock()
        self._limits = limits or Limits()
        self._server = BatchServer(self._place, self._clock)
        self._ledger: Ledger = NoLedger()
        self._left: Sequence[OpenBatch] = ()
        """What an earlier run left with the server."""
        self._picked_up: asyncio.Task[None] | None = None
        self._batches: list[Batch] = []
        self._holding: dict[str, Batch] = {}
        self._waiting: dict[str, Waiting] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._intake = Intake(self._limits.requests)
        self._closed = ""

    def attach(self, ledger: Ledger) -> None:
        """Where batches are noted. Call it before the first request."""
        self._ledger = ledger
        self._left = ledger.open(self.name)

    @property
    def status(self) -> str:
        followed = self._followed()
        parts = []
        if followed:
            done, total = sum(b.done for b in followed), sum(b.total for b in followed)
            parts.append(f"{counted(len(followed), 'batch', 'batches')}: {done:,} of {total:,} done")
        if self._waiting:
            parts.append(f"{len(self._waiting):,} requests to submit")
        if self._server.trouble:
            parts.append(f"the server is in trouble: {self._server.trouble}")
        return "; ".join(parts)

    async def complete(self, request: Request) -> Completion:
        key = key_of(self.name, request)
        await self._pick_up()
        tries = 0
        while True:
            batch = self._holding.get(key) or await self._placed(key, request)
            try:
                return await batch.reply(key, request, self._price)
            except EngineError as trouble:
                if batch.fetched:
                    self._let_go(batch, key)
                if not isinstance(trouble, MayPass):
                    raise
                tries += not batch.crowded
                if tries == TRIES:
                    raise self._given_up(trouble) from trouble

    async def close(self) -> None:
        """End at once. What is with the server stays there, and is found again through the ledger."""
        if self._closed:
            return
        self._forget_fetched()
        self._closed = self._left_behind()
        for task in (self._gathering, self._picked_up):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        for waiting in self._waiting.values():
            if not waiting.placed.done():
                refuse(waiting.placed, EngineUnavailable(self._closed))
        for batch in self._batches:
            batch.stop(EngineUnavailable(self._closed))
        await self._server.close()

    def _left_behind(self) -> str:
        out = [b for b in self._batches if not b.ended.done()]
        if not out:
            return f"{self.name} was stopped"
        requests, batches = sum(len(b.keys) for b in out), counted(len(out), "batch", "batches")
        return f"{requests:,} requests are with the server in {batches}; build again later to fetch their answers"

    def _given_up(self, trouble: MayPass) -> EngineError:
        if trouble.down:
            return EngineUnavailable(
                f"{trouble}, {TRIES} times in a row; build again later, or write openai instead of openai_batch"
            )
        return EngineError(f"{trouble}, {TRIES} times in a row")

    async def _pick_up(self) -> None:
        """Once, before anything is submitted: find the batches that an earlier run left with the server."""
        if self._closed:
            raise EngineUnavailable(self._closed)
        if self._picked_up is None:
            self._picked_up = asyncio.create_task(self._find_open())
        try:
            await asyncio.shield(self._picked_up)
        except asyncio.CancelledError:
            if self._picked_up.cancelled():
                raise EngineUnavailable(self._closed) from None
            raise

    async def _find_open(self) -> None:
        unnamed = [batch.digest for batch in self._left if batch.batch_id is None]
        named = await self._server.find(unnamed) if unnamed else {}
        for batch in self._left:
            batch_id = batch.batch_id or named.get(batch.digest)
            if batch_id is None or not self._ledger.unanswered(batch.keys):
                self._ledger.finished(batch.digest)
                continue
            if batch.batch_id is None:
                self._ledger.submitted(batch.digest, batch_id)
            self._hold(Batch(batch.digest, batch_id, batch.keys, self._server, self._clock, picked_up=True))

    def _hold(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._holding.update(dict.fromkeys(batch.keys, batch))
        batch.ended.add_done_callback(lambda _: self._ended(batch))

    def _let_go(self, batch: Batch, key: str) -> None:
        """The batch has no answer for the key: asked again, it is submitted again."""
        batch.keys.discard(key)
        if self._holding.get(key) is batch:
            del self._holding[key]

    async def _placed(self, key: str, request: Request) -> Batch:
        if self._closed:
            raise EngineUnavailable(self._closed)
        if sum(len(m.content) for m in request.messages) > self._limits.size:
            raise EngineError(f"the request is larger than the {self._limits.size:,} bytes that a batch may hold")
        if key not in self._waiting:
            self._waiting[key] = Waiting(request, asyncio.get_running_loop().create_future())
        waiting = self._waiting[key]
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.create_task(self._gather())
        return await asyncio.shield(waiting.placed)

    async def _gather(self) -> None:
        try:
            while self._waiting:
                await self._quiet()
                await self._submit()
                self._forget_fetched()
        except Exception as error:  # whatever it is, those who wait must hear of it
            waiting, self._waiting = self._waiting, {}
            for one in waiting.values():
                refuse(one.placed, error)

    async def _quiet(self) -> None:
        seen = -1
        while seen < len(self._waiting) < self._intake.requests:
            seen = len(self._waiting)
            await self._clock.sleep(QUIET)
            await calm()  # on a busy machine the others may not have had their turn

    async def _submit(self) -> None:
        """Hand the server one batch, of the requests that came first."""
        while self._intake.batches is not None and len(out := self._followed()) >= self._intake.batches:
            await asyncio.wait([batch.ended for batch in out], return_when=asyncio.FIRST_COMPLETED)
        asked = [(key, waiting.request) for key, waiting in self._waiting.items()]
        limits = Limits(self._intake.requests, self._limits.size)
        with tempfile.TemporaryFile() as file:
            keys = await asyncio.to_thread(write, asked, self._place, limits, file)
            batch = await self._sent(keys, file)
        self._hold(batch)
        batch.follow()
        for key in keys:
            self._waiting.pop(key).placed.set_result(batch)

    async def _sent(self, keys: list[str], file: IO[bytes]) -> Batch:
        self.budget.admit()
        digest = hashlib.blake2b(f"{uuid.uuid4()} {' '.join(keys)}".encode(), digest_size=16).hexdigest()
        self._ledger.intend(self.name, digest, keys)
        batch_id = await self._server.submit(file, digest)
        self._ledger.submitted(digest, batch_id)
        return Batch(digest, batch_id, keys, self._server, self._clock, picked_up=False)

    def _followed(self) -> list[Batch]:
        return [batch for batch in self._batches if batch.followed]

    def _ended(self, batch: Batch) -> None:
        if batch.crowded:
            # Without hope it is a refusal like any other, and stops the run.
            batch.crowded = self._intake.refused(batch.total, len(self._followed()))
        else:
            self._intake.took()

    def _forget_fetched(self) -> None:
        """Drop the batches from which nothing more can come: refused, or every answer is in the journal."""
        for batch in self._batches[:]:
            if batch.fetched and batch.idle and (batch.refusal or not self._ledger.unanswered(list(batch.keys))):
                self._ledger.finished(batch.digest)
                self._batches.remove(batch)
                batch.stop(EngineUnavailable(f"{self.name} was stopped"))
                for key in list(batch.keys):
                    self._let_go(batch, key)


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
