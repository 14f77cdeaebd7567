"""What a failed training becomes: one sentence in failure.txt."""

from pathlib import Path

import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

from tuneworks.factory.errors import InputError
from tuneworks.trainers.launch import FAILURE
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.worker import KINDS, cause, main


def test_the_worker_knows_the_built_in_kinds() -> None:
    assert sorted(KINDS) == ["contrast", "dpo", "kto", "quality", "reward", "sft"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("name a new folder"), "name a new folder"),
        (MemoryError(), "memory ran out while training; under args lower per_device_train_batch_size"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "memory ran out while training"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "memory ran out while training",
        ),
        (ValueError("bad\nvery"), "the training stopped with ValueError: bad (the whole story is in"),
        (ValueError(), "the training stopped with ValueError: no reason given"),
    ],
)
def test_the_cause_is_one_sentence(error: Exception, words: str, tmp_path: Path) -> None:
    sentence = cause(error, tmp_path)
    assert sentence.startswith(words)
    assert "\n" not in sentence


@pytest.mark.real
def test_a_value_trl_does_not_take_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "data", toy_records(4))
    into = tmp_path / "out"
    into.mkdir()
    trainer = Sft(model=build_tiny_model(tmp_path / "model"), args={"loss_type": "magic"})
    trainer.plan(data, 0).write(into)
    assert main(str(into)) == 1
    assert "ValueError: Invalid `loss_type` magic passed" in (into / FAILURE).read_text()
    assert "Traceback" in capsys.readouterr().err
