"""The other processes of a training that runs in several; alone, all of this is nothing.

What is decided by one process's clock or signals must be decided by all at the same step, or they wait for each other
for ever.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import PartialState
from torch import distributed

from tuneworks.factory.errors import TuneworksError


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the process that speaks and writes."""
    return int(os.environ.get("RANK", "0")) == 0


def join() -> None:
    """Meet the others. Called before anything is shared with them."""
    if count() > 1:
        PartialState(cpu=os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true")


def any_of(*flags: bool) -> list[bool]:
    """Of each flag whether it is set in any of the processes, which all ask at the same time."""
    if count() == 1:
        return list(flags)
    state = PartialState()
    found = torch.tensor([int(flag) for flag in flags], device=state.device)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return [bool(one) for one in found.tolist()]


def prepare_anew(trl: Any) -> None:
    """Have accelerate prepare the model for training although it was prepared to be measured.

    It marks what it has prepared, and would leave DDP out: each process would train on its own, and none would say so.
    """
    if count() > 1:
        trl.accelerator.free_memory()
        trl.model.__dict__.pop("_is_accelerate_prepared", None)


def require_alike(model: Any) -> None:
    """Raise TuneworksError where the processes have come to other weights."""
    if count() == 1:
        return
    state = PartialState()
    mine = torch.stack([p.detach().double().sum() for p in model.parameters() if p.requires_grad]).to(state.device)
    first = mine.clone()
    distributed.broadcast(first, 0)
    if any(any_of(not torch.equal(mine, first))):
        raise TuneworksError(
            "the processes have come to different weights, so they did not learn together; train in one process, "
            "without accelerate"
        )


def wait() -> None:
    """Until all are here."""
    if count() > 1:
        PartialState().wait_for_everyone()


@contextmanager
def first_before_others() -> Iterator[None]:
    """What is inside is done by the first process, then by the others, who find what it has left."""
    if not is_first():
        wait()
    yield
    if is_first():
        wait()
