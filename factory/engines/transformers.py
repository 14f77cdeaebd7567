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

from tuneworks.factory.engine import Completion, Engine, EngineOptions, Request, Usage
from tuneworks.factory.errors import BudgetReached, EngineError, EngineUnavailable, MissingExtra, TuneworksError
from tuneworks.factory.flight import CALM_PASSES
from tuneworks.factory.record import fingerprint
from tuneworks.factory.weights import SMOLLM2, loading, locate

if TYPE_CHECKING:
    from tuneworks.factory.engines.decoding import Model
    from tuneworks.factory.engines.likelihood import Given, Likelihood

OPENING_TOKENS = 48
"""How many first tokens decide which prompts are put side by side."""

SCORED_TOGETHER = 256
"""Most given replies of a batch: they take no room of their own, and the more there are, the better they pack."""


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
    """Of the prompt."""
    given: "Given | None"
    """What is to be scored, where nothing is to be said."""
    future: "asyncio.Future[Completion]"
    sort: int = field(init=False)
    """Requests of one sort may share a batch: 0 says something, 1 weighs candidates, 2 scores what is given."""
    order: tuple[object, ...] = field(init=False)

    def __post_init__(self) -> None:
        r = self.request
        self.sort = 2 if self.given is not None else 1 if r.candidates else 0
        key = fingerprint(asdict(r))
        # Prompts that begin alike share a batch, for their common beginning is then read once.
        self.order = (self.sort, -r.max_tokens, self.tokens[:OPENING_TOKENS], -len(self.tokens), key)


class TransformersEngine(Engine):
    def __init__(self, options: Transformers) -> None:
        self.name = f"transformers:{options.model}"
        self.scores = self.batches = True
        self._options = options
        self._model: Model | None = None
        self._scorer: Likelihood | None = None
        self._waiting: list[Waiting] = []
        self._arrivals = 0
        self._worker: asyncio.Task[None] | None = None
        self._stop = threading.Event()

    async def complete(self, request: Request) -> Completion:
        if self._stop.is_set():
            raise self._stopped()
        self._waiting.append(waiting := self._encoded(request))
        self._arrivals += 1
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await waiting.future

    def _encoded(self, request: Request) -> Waiting:
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        if not request.given:
            return Waiting(request, self._loaded().encode(request), None, future)
        given = self._scoring().readable(request.messages, request.given)
        return Waiting(request, given.context, given, future)

    async def close(self) -> None:
        self._stop.set()
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)
        if self._model is not None:
            from tuneworks.factory.engines.decoding import give_back

            self._model = self._scorer = None
            give_back()

    def _loaded(self) -> "Model":
        if self._model is None:
            require_torch(self.name)
            from tuneworks.factory.engines.decoding import shared

            with loading(f"the model {self._options.model}"):
                self._model = shared(self._options.model)
        return self._model

    def _scoring(self) -> "Likelihood":
        if self._scorer is None:
            self._loaded()
            from tuneworks.factory.engines.likelihood import likelihood

            with loading(f"the model {self._options.model}"):
                self._scorer = likelihood(self._options.model)
        return self._scorer

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
            try:
                self.budget.admit()
            except BudgetReached as reached:
                self._refuse(self._waiting, reached)
                return
            await self._answer(self._next_batch())

    async def _quiet(self) -> None:
        seen, calm = -1, 0
        while calm < CALM_PASSES:
            await asyncio.sleep(0)
            calm = calm + 1 if seen == self._arrivals else 0
            seen = self._arrivals

    def _next_batch(self) -> list[Waiting]:
        """The first requests in order that are of one sort, as many as fit."""
        self._waiting.sort(key=lambda w: w.order)
        sort = self._waiting[0].sort
        most = SCORED_TOGETHER if sort == 2 else self._options.batch
        batch = [w for w in self._waiting[:most] if w.sort == sort]
        self._waiting = self._waiting[len(batch) :]
        return batch

    def _replies(self, batch: list[Waiting]) -> list[Completion]:
        given = [w.given for w in batch if w.given is not None]
        if given:
            losses = self._scoring().losses(given, self._go_on)
            return [Completion("", usage=Usage(len(g), 0), loss=n) for g, n in zip(given, losses, strict=True)]
        return self._loaded().answer([w.request for w in batch], [w.tokens for w in batch], self._stop)

    def _go_on(self, scored: int) -> None:
        """Break off what is scored when everything must stop."""
        if self._stop.is_set():
            raise self._stopped()

    async def _answer(self, batch: list[Waiting]) -> None:
        try:
            replies = await asyncio.to_thread(self._replies, batch)
        except Exception as error:
            failed = EngineError(f"{self.name} failed on a batch of {len(batch)}: {error}")
            self._refuse(batch, self._stopped() if self._stop.is_set() else failed)
            return
        if self._stop.is_set():  # the replies were broken off; nobody may take them for whole
            self._refuse(batch, self._stopped())
            return
        for waiting, reply in zip(batch, replies, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(reply)

    @staticmethod
    def _refuse(batch: list[Waiting], reason: TuneworksError) -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(reason)
