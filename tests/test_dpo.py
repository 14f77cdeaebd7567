"""Direct preference optimization."""

import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest
from tiny_model import build_tiny_model, seed_records, toy_records, train_here, write_dataset

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.sft import Sft

pytestmark = pytest.mark.real

ARGS: dict[str, Any] = {
    "max_steps": 12,
    "learning_rate": 1e-2,
    "per_device_train_batch_size": 8,
    "bf16": False,
}


def metrics_of(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_it_starts_at_ln_2_and_learns_to_prefer(
    tuning: Literal["lora", "full"], model: str, data: Path, tmp_path: Path
) -> None:
    said = train_here(Dpo(model=model, tuning=tuning, args=ARGS), data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert metrics["step_zero_loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert metrics["held_out_loss_before"] == pytest.approx(math.log(2), abs=1e-5)
    assert metrics["last_loss"] < 0.6
    assert metrics["held_out_loss_after"] < 0.6
    assert metrics["held_out_accuracy"] == 1.0
    assert metrics["log"][-1]["rewards/margins"] > 0.1
    assert "loss before the first step: 0.6931" in said
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["reload_max_difference"] <= 1e-3
    assert manifest["rows"] == 24


def test_chosen_and_rejected_are_both_counted(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Dpo(model=model, args={**ARGS, "max_steps": 1}), data, tmp_path / "dpo")
    train_here(Sft(model=model, args={**ARGS, "max_steps": 1}), data, tmp_path / "sft")
    both, best = (json.loads((tmp_path / kind / "manifest.json").read_text()) for kind in ("dpo", "sft"))
    rejected = len("7 3 9") + 2  # a byte is a token, and so are the end of the turn and the line break after it
    assert both["tokens_in_loss"] == best["tokens_in_loss"] + 24 * rejected


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_an_adapter_is_its_own_reference(
    tuning: Literal["lora", "full"], model: str, data: Path, tmp_path: Path
) -> None:
    """After supervised training the reference is the trained adapter, and not the base under it."""
    train_here(Sft(model=model, args=ARGS), data, tmp_path / "sft")
    train_here(Dpo(model=str(tmp_path / "sft"), tuning=tuning, args=ARGS), data, tmp_path / "dpo")
    assert metrics_of(tmp_path / "dpo")["step_zero_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert metrics_of(tmp_path / "dpo")["held_out_loss_after"] < 0.68
    assert not (tmp_path / "dpo/ref").exists()


def test_a_reference_that_is_another_model_is_refused(model: str, data: Path, tmp_path: Path) -> None:
    """PiSSA changes the base's weights, so that the base with the adapter switched off is another model."""
    with pytest.raises(TuneworksError, match=r"differ before the first step .*init_lora_weights"):
        train_here(Dpo(model=model, peft={"init_lora_weights": "pissa"}, args=ARGS), data, tmp_path / "out")
    assert not (tmp_path / "out/done.json").exists()


@pytest.mark.parametrize(
    ("args", "start"),
    [
        ({"loss_type": ["hinge"]}, 1.0),
        ({"loss_type": ["sigmoid"], "loss_weights": [2.0]}, 2 * math.log(2)),
    ],
)
def test_another_loss_starts_elsewhere(
    args: dict[str, Any], start: float, model: str, data: Path, tmp_path: Path
) -> None:
    train_here(Dpo(model=model, args={**ARGS, "max_steps": 2, **args}), data, tmp_path / "out")
    assert metrics_of(tmp_path / "out")["step_zero_loss"] == pytest.approx(start)
    assert metrics_of(tmp_path / "out")["held_out_loss_before"] == pytest.approx(start)


@pytest.mark.timeout(240)
def test_the_real_model_learns(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", seed_records(8))
    train_here(Dpo(args={"max_steps": 4, "learning_rate": 1e-3}), data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert metrics["step_zero_loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert metrics["first_loss"] == pytest.approx(math.log(2), abs=1e-2)
    assert metrics["last_loss"] < 0.6
