"""Why a training failed, in one sentence that ends in what to do. This file loads no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneworks.factory.errors import TuneworksError

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc")
"""What torch says on its devices, the system, and C++."""


def cause(error: Exception, log: Path, smaller: str) -> str:
    """`log` is where the traceback is; `smaller` is what to do where memory ran out."""
    if isinstance(error, TuneworksError):
        return str(error)
    if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
        return f"memory ran out while training; {smaller}"
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"the training stopped with {type(error).__name__}: {first} (the whole story is in {log})"


def smaller(options: Mapping[str, Any]) -> str:
    """What needs less memory, of what these options of a trainer have not done already."""
    args: Mapping[str, Any] = options.get("args") or {}
    lower = [name for name in ("per_device_train_batch_size", "max_length") if args.get(name) != 1]
    change = [f"under args lower {' or '.join(lower)}"]
    if not args.get("gradient_checkpointing"):
        change.append("set gradient_checkpointing: true there")
    if options.get("tuning") == "full":
        change.append("train with tuning: lora")
    elif options.get("tuning") and not options.get("bits"):
        change.append("set bits: 4")
    return ", or ".join(change)
