"""What a failure is told as: one sentence that ends in what to do."""

from pathlib import Path
from typing import Any

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.trainers.failures import cause, smaller

LOG = Path("out/worker.log")

CPU = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"


@pytest.mark.parametrize(
    "error", [RuntimeError(CPU), MemoryError(), OSError(12, "Cannot allocate memory"), RuntimeError("std::bad_alloc")]
)
def test_running_out_of_memory_says_what_to_lower(error: Exception) -> None:
    assert cause(error, LOG, smaller({"tuning": "full", "args": {}})) == (
        "memory ran out while training; under args lower per_device_train_batch_size or max_length, or set "
        "gradient_checkpointing: true there, or train with tuning: lora"
    )


@pytest.mark.real
def test_so_does_a_gpu_that_is_full() -> None:
    import torch

    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
    assert cause(error, LOG, smaller({})).startswith("memory ran out while training; under args lower ")


@pytest.mark.real
def test_memory_that_torch_does_not_get() -> None:
    import torch

    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60)
    assert cause(raised.value, LOG, smaller({})).startswith("memory ran out while training; ")


def test_what_was_done_already_is_not_asked_for_again() -> None:
    options: dict[str, Any] = {
        "tuning": "lora",
        "args": {"per_device_train_batch_size": 1, "gradient_checkpointing": True},
    }
    told = "memory ran out while training; under args lower max_length"
    assert cause(MemoryError(), LOG, smaller(options)) == f"{told}, or set bits: 4"
    assert cause(MemoryError(), LOG, smaller(options | {"bits": 8})) == told


def test_other_errors_name_the_log() -> None:
    assert cause(InputError("there is no x; write y"), LOG, smaller({})) == "there is no x; write y"
    assert "stopped with ValueError: no reason given" in cause(ValueError(), LOG, smaller({}))
    assert cause(ValueError("first\nsecond"), LOG, smaller({})) == (
        "the training stopped with ValueError: first (the whole story is in out/worker.log)"
    )
