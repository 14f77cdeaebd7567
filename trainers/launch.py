"""Runs a training in a process of its own: who asked for it loads no torch, and the memory comes back."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.weights import Say

FAILURE, LOG = "failure.txt", "worker.log"

PATIENCE = 10.0
"""Seconds a worker that is asked to stop gets before it is killed."""

WORKER = "tuneworks.trainers.worker"


def launch(into: Path, say: Say, worker: str = WORKER) -> None:
    """Train by the plan in `into`, with the module `worker`; each line it writes goes to `say`, what libraries write
    to worker.log.

    Raises TuneworksError with the cause when the worker fails. Whatever interrupts this also ends the
    worker.
    """
    command = [sys.executable, "-m", worker, str(into)]
    with (into / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(os.environ),
            encoding="utf-8",
            errors="replace",
        )
        try:
            _listen(process, say)
        finally:
            _end(process)
    if process.returncode != 0:
        raise TuneworksError(_cause(into, process.returncode))


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """What a worker is started with: no telemetry, one GPU, and threads that wait asleep.

    OpenMP's threads spin at every barrier unless told not to, and beside any other busy process that slows a training
    many times over. TRL refuses several GPUs in one process, so the worker sees the first.
    """
    ours = dict(inherited)
    ours["HF_HUB_DISABLE_TELEMETRY"] = "1"
    ours["PYTHONUTF8"] = "1"
    ours["TOKENIZERS_PARALLELISM"] = ours.get("TOKENIZERS_PARALLELISM", "false")
    ours["CUDA_VISIBLE_DEVICES"] = ours.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    ours.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return ours


def _listen(worker: "subprocess.Popen[str]", say: Say) -> None:
    assert worker.stdout is not None  # asked for with PIPE
    for line in worker.stdout:
        say(line.rstrip("\n"))
    worker.wait()


def _end(worker: "subprocess.Popen[str]") -> None:
    if worker.stdout is not None:
        worker.stdout.close()
    if worker.poll() is None:
        worker.terminate()
        try:
            worker.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _cause(into: Path, code: int) -> str:
    failure = into / FAILURE
    if failure.is_file():
        return failure.read_text(encoding="utf-8").strip()
    if code == -9:
        return (
            "the training was killed from outside, most likely because memory ran out; "
            "lower per_device_train_batch_size or max_length under args, or close other programs"
        )
    return f"the training ended with code {code} and left no word why; read {into / LOG}"
