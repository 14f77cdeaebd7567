"""A model through vLLM on this machine, with no server to start: requests are handed over as they come, and vLLM forms
its batches anew at each step.

Up to twice as many requests as vLLM works on wait here; those handed over are a quarter more than it works on, so that
a place that becomes free is taken at the next step.
"""

import asyncio
from importlib.util import find_spec
from typing import Any, ClassVar

from pydantic import Field

from tuneworks.factory.engine import Completion, Engine, EngineOptions, Request
from tuneworks.factory.engines.vllm_args import complaint
from tuneworks.factory.engines.vllm_worker import Worker
from tuneworks.factory.errors import EngineUnavailable, MissingExtra, RecipeError
from tuneworks.factory.weights import SMOLLM2, locate

SEQUENCES = 512
"""Sequences in a batch for which requests are held open where the recipe does not say `max_num_seqs`: vLLM itself
takes 256 on most hardware and 1,024 on the largest."""


class Vllm(EngineOptions):
    """A model through vLLM on this machine: GPUs, or the processor with vLLM's build for it."""

    kind: ClassVar[str] = "vllm"

    model: str = SMOLLM2
    """`smollm2` (packaged), a model's folder, or a Hub id."""
    args: dict[str, Any] = Field(default_factory=dict)
    """vLLM's engine arguments, as they are: tensor_parallel_size, quantization, max_model_len, max_num_seqs,
    gpu_memory_utilization, dtype..."""

    def check(self) -> None:
        if find_spec("vllm") is None:
            raise MissingExtra("vllm", "vllm", f"the engine vllm with the model {self.model}")
        wrong = complaint(self.args)
        if wrong:
            raise RecipeError(wrong)
        locate(self.model)

    def open(self) -> "VllmEngine":
        return VllmEngine(self)


class VllmEngine(Engine):
    structured = True
    scores = True

    def __init__(self, options: Vllm) -> None:
        self.name = f"vllm:{options.model}"
        self.room = 2 * int(options.args.get("max_num_seqs") or SEQUENCES)
        self._options = options
        self._starting: asyncio.Task[Worker] | None = None
        self._closed = False

    @property
    def status(self) -> str:
        loading = self._starting is not None and not self._starting.done()
        return f"vLLM loads the model {self._options.model}" if loading else ""

    async def complete(self, request: Request) -> Completion:
        worker = await self._started()
        async with worker.seats:
            self.budget.admit()
            return await worker.ask(request)

    async def close(self) -> None:
        self._closed = True
        starting = self._starting
        if starting is None:
            return
        starting.cancel()
        (worker,) = await asyncio.gather(starting, return_exceptions=True)
        if isinstance(worker, Worker):
            await worker.stop()

    async def _started(self) -> Worker:
        """The worker, started by the first request; all wait for the same start."""
        if self._closed:
            raise self._stopped()
        if self._starting is None:
            if find_spec("vllm") is None:
                raise MissingExtra("vllm", "vllm", self.name)
            self._starting = asyncio.create_task(Worker.start(self._options.model, self._options.args))
        try:
            return await asyncio.shield(self._starting)
        except asyncio.CancelledError:
            if self._closed:
                raise self._stopped() from None
            raise

    def _stopped(self) -> EngineUnavailable:
        return EngineUnavailable(f"{self.name} was stopped")
