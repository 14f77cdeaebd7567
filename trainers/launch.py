"""Runs a training in a process of its own: who asked for it loads no torch, and the memory comes back."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.weights import Say
from tuneworks.trainers.processes import Processes, command, settings

FAILURE, LOG = "failure.txt", "worker.log"

STOPPED = 130
"""Exit code of a worker that was asked to stop."""

PATIENCE = 60.0
"""Seconds a worker that is asked to stop gets, to end its step and write a checkpoint, before it is killed."""

WORKER = "tuneworks.trainers.worker"


def launch(into: Path, say: Say, smaller: str, worker: str = WORKER, processes: Processes | None = None) -> None:
    """Train by the plan in `into`, with the module `worker`, in one process or in those that accelerate starts; each
    line it writes goes to `say`, what libraries write to worker.log.

    Raises TuneworksError with the cause when the worker fails; `smaller` is what to do where memory ran out.
    Whatever interrupts this also stops the worker, which writes a checkpoint first.
    """
    with (into / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command(worker, into, processes),
            stdin=subprocess.PIPE,  # closes when this process is killed, by which the worker knows
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(os.environ, processes),
            start_new_session=processes is not None,  # Ctrl-C must not reach who starts them: it would end them at once
            encoding="utf-8",
            errors="replace",
        )
        try:
            _listen(process, say)
        finally:
            _end(process, say, together=processes is not None)
    if process.returncode != 0:
        raise TuneworksError(_cause(into, process.returncode, smaller))


def environment(inherited: Mapping[str, str], processes: Processes | None = None) -> dict[str, str]:
    """What a worker is started with: no telemetry, threads that wait asleep, and one GPU unless accelerate's file says
    how many.

    OpenMP's threads spin at every barrier unless told not to, and beside any other busy process that slows a training
    many times over. TRL refuses several GPUs in one process, so the worker sees the first.
    """
    ours = dict(inherited)
    ours["HF_HUB_DISABLE_TELEMETRY"] = "1"
    ours["PYTHONUTF8"] = "1"
    ours["TOKENIZERS_PARALLELISM"] = ours.get("TOKENIZERS_PARALLELISM", "false")
    if processes is None:
        ours["CUDA_VISIBLE_DEVICES"] = ours.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    ours.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return ours | settings(processes)


def _listen(worker: "subprocess.Popen[str]", say: Say) -> None:
    assert worker.stdout is not None  # asked for with PIPE
    for line in worker.stdout:
        say(line.rstrip("\n"))
    worker.wait()


def _end(worker: "subprocess.Popen[str]", say: Say, together: bool) -> None:
    """Stop the worker if it still runs, and hear what it has left to say. A second interrupt ends it at once."""
    patience = threading.Timer(PATIENCE, _kill, (worker, together))
    try:
        if worker.poll() is None:
            patience.start()
            _ask_to_stop(worker, together)
            _listen(worker, say)
    finally:
        patience.cancel()
        if worker.poll() is None:
            _kill(worker, together)
            worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                pipe.close()


def _ask_to_stop(worker: "subprocess.Popen[str]", together: bool) -> None:
    """A signal would end the launcher of several processes, and it them; a line reaches one of them, who tells all."""
    if not together:
        worker.terminate()
        return
    assert worker.stdin is not None  # asked for with PIPE
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write("stop\n")
        worker.stdin.flush()


def _kill(worker: "subprocess.Popen[str]", together: bool) -> None:
    if together:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    else:
        worker.kill()


def _cause(into: Path, code: int, smaller: str) -> str:
    failure = into / FAILURE
    if failure.is_file():
        return failure.read_text(encoding="utf-8").strip()
    if code in (STOPPED, -signal.SIGTERM):
        return "the training was stopped from outside; start it again, and it goes on from its last checkpoint"
    if code == -signal.SIGKILL:
        return f"the training was killed from outside, most likely because memory ran out; {smaller}"
    return f"the training ended with code {code} and left no word why; read {into / LOG}"
