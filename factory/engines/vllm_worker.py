"""The process that vLLM runs in, seen from ours: lines of JSON over pipes.

A process of its own keeps vLLM's output off the terminal, its settings of OpenMP and the allocator out of our
environment, and a Ctrl-C that is meant for us away from it. It leads a process group with all that vLLM starts, which
ends with it; and it ends when our end of its pipe closes, so also when we are killed.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any, Self

from tuneworks.factory.engine import Completion, Loss, Request, Usage
from tuneworks.factory.engines.vllm_log import cause_of
from tuneworks.factory.errors import EngineError, EngineUnavailable

MODULE = "tuneworks.factory.engines.vllm_process"

LONGEST_LINE = 64 * 2**20
"""Bytes of one reply."""

STOP_SECONDS = 30
"""How long vLLM may take to end by itself: a GPU's memory is freed and shared memory unlinked."""


class Worker:
    def __init__(self, model: str, log: Path, process: asyncio.subprocess.Process) -> None:
        self.seats = asyncio.Semaphore(1)
        """One for each request that vLLM should have."""
        self._model = model
        self._log = log
        self._process = process
        self._numbers = count()
        self._open: dict[int, asyncio.Future[Completion]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end: EngineUnavailable | None = None
        """Why no request is answered any more."""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, model: str, args: Mapping[str, Any]) -> Self:
        """Ready to be asked, or EngineUnavailable with vLLM's reason."""
        handle, log = tempfile.mkstemp(prefix="tuneworks-vllm-", suffix=".log")
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=handle,
                start_new_session=True,
                limit=LONGEST_LINE,
            )
        finally:
            os.close(handle)
        worker = cls(model, Path(log), process)
        try:
            worker._say({"model": model, "args": dict(args)})
            await worker._ready
        except BaseException:
            await worker.stop()
            raise
        return worker

    async def ask(self, request: Request) -> Completion:
        if self._end is not None:
            raise self._end
        number = next(self._numbers)
        reply: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._open[number] = reply
        try:
            self._say({"id": number, "request": asdict(request)})
            return await reply
        except asyncio.CancelledError:
            self._say({"abort": number})
            raise
        finally:
            self._open.pop(number, None)

    async def stop(self) -> None:
        """End the process and all it started; what was not answered is refused."""
        failed = self._end is not None
        self._refuse(EngineUnavailable(f"vllm:{self._model} was stopped"))
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        finally:
            end_group(self._process.pid)
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._process.wait()
        if not failed:
            self._log.unlink(missing_ok=True)

    def _say(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        reason = ""
        async for line in self._process.stdout:
            heard: dict[str, Any] = json.loads(line)
            if "failed" in heard:
                reason = heard["failed"]
            elif "ready" in heard:
                self.seats = asyncio.Semaphore(heard["ready"])
                self._ready.set_result(None)
            else:
                self._answer(self._open.get(heard["id"]), heard)
        code = await self._process.wait()
        end_group(self._process.pid)
        self._refuse(self._explained(reason or f"it ended with the exit code {code}"))

    @staticmethod
    def _answer(reply: "asyncio.Future[Completion] | None", heard: dict[str, Any]) -> None:
        if reply is None or reply.done():
            return
        if "error" in heard:
            reply.set_exception(EngineError(heard["error"]))
        else:
            reply.set_result(completion(heard["reply"]))

    def _explained(self, reason: str) -> EngineUnavailable:
        cause = cause_of(reason, self._log.read_text("utf-8", "replace"))
        if self._ready.done():
            return EngineUnavailable(
                f"vLLM ended with the model {self._model} ({cause}); build again, or read {self._log}"
            )
        return EngineUnavailable(
            f"vLLM cannot start with the model {self._model} ({cause}); correct the args of vllm, or read {self._log}"
        )

    def _refuse(self, reason: EngineUnavailable) -> None:
        """All that wait and all that come; the first reason stays."""
        self._end = self._end or reason
        unanswered: list[asyncio.Future[Any]] = [self._ready, *self._open.values()]
        for waiting in unanswered:
            if not waiting.done():
                waiting.set_exception(self._end)
        self._ready.exception() if self._ready.done() and not self._ready.cancelled() else None


def completion(reply: Mapping[str, Any]) -> Completion:
    """From its form in JSON."""
    loss = Loss(**reply["loss"]) if reply["loss"] else None
    return Completion(reply["text"], reply["finish"], Usage(**reply["usage"]), reply["log_probs"], loss)


def end_group(leader: int) -> None:
    """Kill what is left of a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
