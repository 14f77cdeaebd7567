"""Training in several processes, started by accelerate's file: as one with the same batch, stopped, mistaken."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

from tuneworks.factory.errors import RecipeError, TuneworksError
from tuneworks.trainers.launch import environment
from tuneworks.trainers.processes import command, read_processes
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.sft import Sft

TWO = """compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
num_machines: 1
num_processes: 2
use_cpu: true
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    write_dataset(folder / "data", toy_records(40), toy_records(8, 100))
    build_tiny_model(folder / "model")
    (folder / "two.yaml").write_text(TWO)
    return folder


def sft(place: Path, together: bool, batch: int, **args: Any) -> Sft:
    given = {"max_steps": 6, "per_device_train_batch_size": batch, "learning_rate": 3e-3, "bf16": False} | args
    file = str(place / "two.yaml") if together else None
    return Sft(model=str(place / "model"), tuning="full", accelerate=file, args=given)


@pytest.mark.real
def test_two_processes_learn_what_one_learns_with_their_batch(place: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    """By plain gradient descent: Adam divides by gradients, and makes much of those that are rounding alone."""
    said: list[str] = []
    plainly: dict[str, Any] = {"optim": "sgd", "learning_rate": 0.3}
    sft(place, True, 4, **plainly).train(place / "data", tmp_path / "two", say=said.append)
    sft(place, False, 8, **plainly).train(place / "data", tmp_path / "one")
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert [entry["loss"] for entry in two["log"]] == pytest.approx([e["loss"] for e in one["log"]], abs=1e-4)
    assert two["held_out_loss_after"] == pytest.approx(one["held_out_loss_after"], abs=1e-3)
    weights = load_file(tmp_path / "one/model.safetensors")
    for name, found in load_file(tmp_path / "two/model.safetensors").items():
        assert float((found - weights[name]).abs().max()) < 1e-3, name
    assert sum(line.startswith("step 1 of 6") for line in said) == 1
    assert any(line.endswith("on cpu in 2 processes, 8 rows a step") for line in said)
    assert json.loads((tmp_path / "two/manifest.json").read_text())["processes"] == 2


@pytest.mark.real
def test_ctrl_c_stops_all_of_them_and_they_go_on(place: Path, tmp_path: Path) -> None:
    """The process that trains them is interrupted as by Ctrl-C in a terminal."""
    out = tmp_path / "out"
    code = (
        "from pathlib import Path; from tuneworks.trainers.sft import Sft; import json, sys\n"
        "options, data, into = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])\n"
        "Sft(**options).train(data, into, say=lambda line: print(line, flush=True))\n"
    )
    trainer = sft(place, True, 1, max_steps=60)
    options = json.dumps(trainer.model_dump())
    started = subprocess.Popen(
        [sys.executable, "-c", code, options, str(place / "data"), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert started.stdout is not None
    lines = []
    for line in started.stdout:
        lines.append(line)
        if line.startswith("step 5 of"):
            started.send_signal(signal.SIGINT)
    started.wait(timeout=60)
    assert any("which is kept" in line for line in lines), lines[-5:]
    kept = list(out.glob("checkpoint-*/whole.json"))
    assert len(kept) == 1 and not (out / "done.json").exists()
    time.sleep(1)
    assert str(out) not in subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True).stdout
    (place / "two.yaml").write_text(TWO)
    said: list[str] = []
    short = sft(place, True, 1, max_steps=60)
    step = int(kept[0].parent.name.removeprefix("checkpoint-"))
    short.train(place / "data", out, say=said.append)
    assert f"going on at step {step} of 60" in said
    assert (out / "done.json").is_file()


@pytest.mark.real
def test_why_one_of_them_failed_is_told_once(place: Path, tmp_path: Path) -> None:
    with pytest.raises(TuneworksError, match="lower learning_rate under args") as told:
        sft(place, True, 4, learning_rate=1e30).train(place / "data", tmp_path / "out")
    assert "\n" not in str(told.value)


def test_a_file_that_is_none_of_accelerates_is_refused_before_anything_starts(place: Path, tmp_path: Path) -> None:
    mistakes = [
        (None, "cannot be read .*; write one with: accelerate config"),
        ("- a\n- b: [", "is not YAML"),
        ("num_processes: 2\n", "names distributed_type None"),
        ("distributed_type: MULTI_GPUS\n", "names distributed_type 'MULTI_GPUS', and trainings are started by NO,"),
        ("distributed_type: MULTI_GPU\nnum_processes: two\n", "num_processes in .* is 'two'"),
        ("distributed_type: MULTI_GPU\nnum_machines: 2\n", "asks for several machines"),
        ("distributed_type: DEEPSPEED\n", "asks for deepspeed, which is missing; pip install deepspeed"),
    ]
    for at, (text, words) in enumerate(mistakes):
        file = tmp_path / f"{at}.yaml"
        if text is not None:
            file.write_text(text)
        with pytest.raises(RecipeError, match=words):
            Sft(model=str(place / "model"), accelerate=str(file)).check()
    reward = {"file": str(tmp_path / "reward.py")}
    (tmp_path / "reward.py").write_text("def score(prompt, answer):\n    return 1.0\n")
    from tuneworks.factory.rewards.function import Function

    with pytest.raises(RecipeError, match="answers are written by one process"):
        RejectionSampling(accelerate=str(place / "two.yaml"), reward=Function(**reward)).check()


def test_how_they_are_started(place: Path, tmp_path: Path) -> None:
    two = read_processes(str(place / "two.yaml"), "sft")
    assert (two.kind, two.count, two.sharded) == ("MULTI_CPU", 2, False)
    assert "torch.distributed.run" in command("w", tmp_path, two)
    (tmp_path / "gpus.yaml").write_text("distributed_type: FSDP\nnum_processes: 4\n")
    four = read_processes(str(tmp_path / "gpus.yaml"), "sft")
    assert four.sharded and command("w", tmp_path, four)[1:4] == ["-m", "accelerate.commands.launch", "--config_file"]
    gpus = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    assert environment(gpus, four)["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    assert environment(gpus)["CUDA_VISIBLE_DEVICES"] == "0"
    assert environment({}, two)["ACCELERATE_USE_CPU"] == "true"


def test_another_number_of_processes_is_another_training(place: Path, tmp_path: Path) -> None:
    plans = []
    for count in (2, 3, 2):
        (tmp_path / "n.yaml").write_text(TWO.replace("num_processes: 2", f"num_processes: {count}"))
        plans.append(Sft(model=str(place / "model"), accelerate=str(tmp_path / "n.yaml")).plan(place / "data", 0).key)
    assert plans[0] == plans[2] != plans[1]
    assert Sft(model=str(place / "model")).plan(place / "data", 0).key not in plans
