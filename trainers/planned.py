"""A training's plan in words, before anything is loaded. This file loads no torch."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tuneworks.trainers.plan import Split

if TYPE_CHECKING:
    from tuneworks.trainers.finetuning import FineTuning

GPU_BATCH = 8
"""Rows a step on a GPU, unless args say otherwise."""

EPOCHS = 3
"""TRL's own."""


def lines(trainer: "FineTuning", train: Split, test: Split | None, done: str) -> Iterator[str]:
    begins = f"what {trainer.follows} leaves" if trainer.follows else trainer.model
    bits = f" over {trainer.bits} bit" if trainer.bits else ""
    yield f"trains {begins} ({trainer.tuning}{bits}){done}"
    held = f"{test.rows} held out" if test else "none held out"
    yield f"rows: {train.rows} of {train.file}, {held}"
    processes = trainer.processes()
    together = f"{processes.count} processes ({processes.kind}, {processes.file})" if processes else "one process"
    yield f"in {together}; {_steps(trainer, train.rows, processes.count if processes else 1)}"
    written = [(name, value) for name, value in trainer.args.items()]
    yield "args: " + (", ".join(f"{name}: {value}" for name, value in written) or "none, all as documented")


def planned_steps(arguments: Mapping[str, Any], rows: int, processes: int = 1) -> int:
    """How many optimizer steps the arguments ask for, before packing; each answer that is written to a row counts."""
    if arguments.get("max_steps", -1) > 0:
        return int(arguments["max_steps"])
    rows *= int(arguments.get("num_generations", 1))
    each = processes * arguments["per_device_train_batch_size"] * arguments.get("gradient_accumulation_steps", 1)
    return math.ceil(math.ceil(rows / int(each)) * float(arguments.get("num_train_epochs", EPOCHS)))


def _steps(trainer: "FineTuning", rows: int, processes: int) -> str:
    args = trainer.own_arguments() | trainer.arguments()
    if args.get("max_steps", -1) > 0:
        return f"{int(args['max_steps'])} steps"
    if args.get("per_device_train_batch_size"):
        return f"{planned_steps(args, rows, processes)} steps before packing"
    on_cpu, on_gpu = (
        planned_steps(args | {"per_device_train_batch_size": batch}, rows, processes)
        for batch in (trainer.cpu_batch, GPU_BATCH)
    )
    return f"{on_cpu} steps of {trainer.cpu_batch} rows on a CPU, or {on_gpu} of {GPU_BATCH} on a GPU, before packing"
