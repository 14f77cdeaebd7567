"""A model in this process, through transformers: the embedded default.

Requests wait until nothing else in the program can go on, are sorted by what they ask and how long they are, and are
answered a batch at a time. Rounding depends on what shares a batch, so a batch is a function of the set of waiting
requests alone, never of their arrival: a run that was killed and resumed forms the same batches.
"""

import asyncio
import os
import threading
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from tuneworks.factory.engine import Completion, EngineOptions, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable, MissingExtra
from tuneworks.factory.record import fingerprint
from tuneworks.factory.weights import SMOLLM2, loading, locate

if TYPE_CHECKING:
    from tuneworks.factory.engines.decoding import Model

OPENING_TOKENS = 48
"""How many first tokens decide which prompts are put side by side."""

CALM_PASSES = 24
"""Passes of the event loop without a new request that count as 'nothing else can go on'."""


class Transformers(EngineOptions):
    """A model in this process: a Hub id, a folder, or smollm2. Uses the GPU where there is one."""

    kind: ClassVar[str] = "transformers"

    model: str = SMOLLM2
    """`smollm2` (packaged), a model's folder, or a Hub id."""
    batch: int = Field(default=32, ge=1)
    """Most sequences generated together."""

    def check(self) -> None:
        require_torch(f"the model {self.model}")
        locate(self.model)

    def open(self) -> "TransformersEngine":
        return TransformersEngine(self)


def require_torch(purpose: str) -> None:
    """Raise if torch or transformers is missing. Call it before the first import of torch.

    OpenMP threads that wait by spinning hold the core another process needs, and on a busy machine slow a batch many
    times over; asleep they do not. OpenMP reads the setting when torch loads it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtra(package, "local", purpose)


@dataclass(slots=True)
class Waiting:
    request: Request
    tokens: list[int]
    future: "asyncio.Future[Completion]"
    order: tuple[object, ...] = field(init=False)

    def __post_init__(self) -> None:
        r = self.request
        key = fingerprint(asdict(r))
        # Prompts that begin alike share a batch, for their common beginning is then read once.
        self.order = (bool(r.candidates), -r.max_tokens, self.tokens[:OPENING_TOKENS], -len(self.tokens), key)


class TransformersEngine:
    def __init__(self, options: Transformers) -> None:
        self.name = f"transformers:{options.model}"
        self.structured = False
        self._options = options
        self._model: Model | None = None
        self._waiting: list[Waiting] = []
        self._arrivals = 0
        self._worker: asyncio.Task[None] | None = None
        self._stop = threading.Event()

    async def complete(self, request: Request) -> Completion:
        if self._stop.is_set():
            raise self._stopped()
        model = self._loaded()
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(request, model.encode(request), future))
        self._arrivals += 1
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        self._stop.set()
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)
        self._model = None

    def _loaded(self) -> "Model":
        if self._model is None:
            require_torch(self.name)
            from tuneworks.factory.engines.decoding import Model

            with loading(f"the model {self._options.model}"):
                self._model = Model(self._options.model)
        return self._model

    def _stopped(self) -> EngineUnavailable:
        return EngineUnavailable(f"{self.name} was stopped")

    async def _work(self) -> None:
        while True:
            await self._quiet()
            self._waiting = [w for w in self._waiting if not w.future.done()]
            if self._stop.is_set():
                self._refuse(self._waiting, self._stopped())
                return
            if not self._waiting:
                return
            batch = self._next_batch()
            await self._answer(batch)

    async def _quiet(self) -> None:
        seen, calm = -1, 0
        while calm < CALM_PASSES:
            await asyncio.sleep(0)
            calm = calm + 1 if seen == self._arrivals else 0
            seen = self._arrivals

    def _next_batch(self) -> list[Waiting]:
        """The first requests in order that are of one sort (generating or scoring), as many as fit."""
        self._waiting.sort(key=lambda w: w.order)
        scoring = bool(self._waiting[0].request.candidates)
        batch = [w for w in self._waiting[: self._options.batch] if bool(w.request.candidates) == scoring]
        self._waiting = self._waiting[len(batch) :]
        return batch

    async def _answer(self, batch: list[Waiting]) -> None:
        model = self._loaded()
        requests, tokens = [w.request for w in batch], [w.tokens for w in batch]
        try:
            replies = await asyncio.to_thread(model.answer, requests, tokens, self._stop)
        except Exception as error:
            self._refuse(batch, EngineError(f"{self.name} failed on a batch of {len(batch)}: {error}"))
            return
        if self._stop.is_set():  # the replies were broken off; nobody may take them for whole
            self._refuse(batch, self._stopped())
            return
        for waiting, reply in zip(batch, replies, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(reply)

    @staticmethod
    def _refuse(batch: list[Waiting], reason: EngineError) -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(reason)
