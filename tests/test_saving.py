"""Trainings that are killed and go on; checkpoints by time; weights that are lost."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset
from transformers import TrainerControl, TrainerState, TrainingArguments

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers.checkpoints import last_whole, seconds_until
from tuneworks.trainers.contrast import Contrast
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.launch import environment
from tuneworks.trainers.plan import Plan
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.saving import Saving
from tuneworks.trainers.session import train
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.stopping import Stopping
from tuneworks.trainers.trl_trainer import TrlTrainer
from tuneworks.trainers.tuning import Tuning

pytestmark = pytest.mark.real

ARGS: dict[str, Any] = {"max_steps": 16, "learning_rate": 1e-2, "per_device_train_batch_size": 4, "bf16": False}
OFTEN = {"save_strategy": "steps", "save_steps": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


def killed_after(trainer: TrlTrainer, data: Path, into: Path, step: int) -> None:
    """Start a worker as `train` does, and kill it (SIGKILL) when it has said the loss of this step."""
    into.mkdir()
    trainer.plan(data, 0).write(into)
    command = [sys.executable, "-m", "tuneworks.trainers.worker", str(into)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=environment(os.environ)) as worker:
        assert worker.stdout is not None
        assert any(line.startswith(f"step {step} ") for line in worker.stdout)
        worker.kill()


def broken_after(trainer: TrlTrainer, data: Path, into: Path, step: int) -> None:
    class Broken(Exception):
        pass

    def say(line: str) -> None:
        if line.startswith(f"step {step} "):
            raise Broken

    into.mkdir()
    plan = trainer.plan(data, 0)
    plan.write(into)
    with pytest.raises(Broken):
        train(trainer, plan, into, say)


def on_from_there(trainer: TrlTrainer, into: Path) -> list[str]:
    """What a worker does in the folder of a training that was begun, in this process; returns what was said."""
    said: list[str] = []
    train(trainer, Plan.read(into), into, said.append)
    return said


@pytest.mark.parametrize(
    ("kind", "tuning", "killed"),
    [
        (Sft, "lora", True),  # a process more takes ten seconds; the error leaves the same
        (Sft, "lora", False),
        (Sft, "full", False),
        (Sft, "dora", False),
        (Sft, "ia3", False),
        (Sft, "bottleneck", False),
        (Sft, "prompt", False),
        (Sft, "prefix", False),
        (Dpo, "lora", False),
    ],
)
def test_a_training_that_was_cut_off_ends_as_one_that_was_not(
    kind: type[TrlTrainer], tuning: Tuning, killed: bool, model: str, data: Path, tmp_path: Path
) -> None:
    trainer = kind(model=model, tuning=tuning, args={**ARGS, **OFTEN, "max_steps": 10})
    train_here(trainer, data, tmp_path / "whole")
    if killed:
        killed_after(trainer, data, tmp_path / "out", 8)
    else:
        broken_after(trainer, data, tmp_path / "out", 8)
    kept = last_whole(tmp_path / "out")
    assert kept is not None and kept.name in {"checkpoint-3", "checkpoint-6"}
    said = on_from_there(trainer, tmp_path / "out")
    assert f"going on at step {kept.name.removeprefix('checkpoint-')} of 10" in said

    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "out"))
    assert [entry["step"] for entry in two["log"]] == list(range(1, 11))
    assert [entry["loss"] for entry in two["log"]] == pytest.approx([entry["loss"] for entry in one["log"]], abs=1e-6)
    assert two["held_out_loss_before"] == pytest.approx(one["held_out_loss_before"], abs=1e-6)
    assert two["held_out_loss_after"] == pytest.approx(one["held_out_loss_after"], abs=1e-6)
    file = "model.safetensors" if tuning == "full" else "adapter_model.safetensors"
    first, second = load_file(tmp_path / "whole" / file), load_file(tmp_path / "out" / file)
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    assert not list((tmp_path / "out").glob("checkpoint-*"))


@pytest.mark.parametrize("tuning", ["lora", "full"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [(Kto, {}), (Reward, {"loss": "plackett_luce"}), (Contrast, {"loss": "rrhf"})],
    ids=["kto", "reward", "contrast"],
)
def test_trainings_with_losses_of_our_own_go_on_too(
    kind: type[TrlTrainer], options: dict[str, Any], tuning: Tuning, model: str, data: Path, tmp_path: Path
) -> None:
    trainer = kind(model=model, tuning=tuning, args={**ARGS, **OFTEN, "max_steps": 8}, **options)
    train_here(trainer, data, tmp_path / "whole")
    broken_after(trainer, data, tmp_path / "out", 5)
    assert "going on at step 3 of 8" in on_from_there(trainer, tmp_path / "out")
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "out"))
    assert [entry["loss"] for entry in two["log"]] == pytest.approx([entry["loss"] for entry in one["log"]], abs=1e-5)
    assert two["held_out_loss_after"] == pytest.approx(one["held_out_loss_after"], abs=1e-5)


def test_dpo_of_an_adapter_goes_on_beside_its_reference(model: str, data: Path, tmp_path: Path) -> None:
    """Where a checkpoint holds the reference, transformers goes on from that, and nothing says so."""
    train_here(Sft(model=model, args={**ARGS, "max_steps": 4}), data, tmp_path / "sft")
    trainer = Dpo(model=str(tmp_path / "sft"), args={**ARGS, **OFTEN, "max_steps": 10})
    train_here(trainer, data, tmp_path / "whole")
    broken_after(trainer, data, tmp_path / "out", 8)
    assert any(line.startswith("going on at step") for line in on_from_there(trainer, tmp_path / "out"))
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "out"))
    assert [entry["loss"] for entry in two["log"]] == pytest.approx([entry["loss"] for entry in one["log"]], abs=1e-6)
    assert two["held_out_loss_after"] == pytest.approx(one["held_out_loss_after"], abs=1e-6)


def test_checkpoints_are_written_as_time_passes(model: str, data: Path, tmp_path: Path) -> None:
    """Where a loss is logged, so that every logged loss is a mean over the same steps."""
    now = 0.0
    stopping = Stopping()
    saving = Saving(tmp_path, stopping, timed=True, clock=lambda: now)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    state = TrainerState(max_steps=100)
    network = torch.nn.Linear(2, 2)
    saving.on_train_begin(arguments, state, TrainerControl())
    saved = []
    for step in range(1, 31):
        now += 30.0
        state.global_step = step
        control = TrainerControl(should_log=step % 5 == 0)
        saving.on_step_end(arguments, state, control, model=network)
        if control.should_save:
            saved.append(step)
            (tmp_path / f"checkpoint-{step}").mkdir()
            now += 6.0  # by the share of the time it may take, the next is due after 300 seconds
            saving.on_save(arguments, state, control)
    assert saved == [5, 15, 25]
    assert seconds_until(tmp_path / "checkpoint-5") == 156.0
    stopping.ask()
    control = TrainerControl()
    saving.on_step_end(arguments, state, control, model=network)
    assert (control.should_save, control.should_training_stop) == (True, True)
    network.weight.data[0, 0] = math.nan
    with pytest.raises(TuneworksError, match=r"weights at step 30 are no numbers; those of step 25 are kept in "):
        saving.on_step_end(arguments, state, control, model=network)


def test_a_broken_loss_keeps_the_last_good_checkpoint(model: str, data: Path, tmp_path: Path) -> None:
    args = {**ARGS, "learning_rate": 1e38, "max_grad_norm": 1e38, "warmup_steps": 16, "logging_steps": 5}
    trainer = Sft(model=model, tuning="full", args={**args, "save_strategy": "steps", "save_steps": 1})
    with pytest.raises(TuneworksError, match=r"are no numbers; those of step ") as raised:
        train_here(trainer, data, tmp_path / "out")
    kept = last_whole(tmp_path / "out")
    assert kept is not None
    assert f"are kept in {kept}; lower learning_rate under args" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert all(bool(torch.isfinite(w).all()) for w in load_file(kept / "model.safetensors").values())
