"""What a failed training becomes: one sentence in failure.txt."""

from pathlib import Path

import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

from tuneworks.trainers.launch import FAILURE
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.stopping import Stopping
from tuneworks.trainers.worker import KINDS, main


def test_the_worker_knows_the_built_in_kinds() -> None:
    assert sorted(KINDS) == [
        *("contrast", "dpo", "grpo", "kto", "process", "quality", "rejection_sampling", "reward", "rloo", "sft")
    ]


@pytest.mark.real
def test_a_value_trl_does_not_take_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "data", toy_records(4))
    into = tmp_path / "out"
    into.mkdir()
    trainer = Sft(model=build_tiny_model(tmp_path / "model"), args={"loss_type": "magic"})
    trainer.plan(data, 0).write(into)
    assert main(str(into), Stopping()) == 1
    assert "ValueError: Invalid `loss_type` magic passed" in (into / FAILURE).read_text()
    assert "Traceback" in capsys.readouterr().err
