"""Kahneman-Tversky optimization."""

import json
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError, TuneworksError
from tuneworks.factory.record import Answer, Record
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.sft import Sft

ARGS: dict[str, Any] = {
    "max_steps": 12,
    "learning_rate": 1e-2,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
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


def test_rows_without_a_label_are_refused(tmp_path: Path) -> None:
    (tmp_path / "unpaired").mkdir()
    pl.DataFrame({"prompt": ["a"], "completion": ["b"]}).write_parquet(tmp_path / "unpaired/train.parquet")
    with pytest.raises(InputError, match=r"has no column label .* need prompt and completion and label"):
        Kto().plan(tmp_path, 0)


def test_one_row_a_batch_gives_no_term_to_measure_against() -> None:
    with pytest.raises(RecipeError, match="per_device_train_batch_size is 1, and the KL term"):
        Kto(args={"per_device_train_batch_size": 1}).check()
    Kto(args={"per_device_train_batch_size": 1, "loss_type": "apo_zero_unpaired"}).check()


@pytest.mark.real
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_it_starts_at_a_half_and_learns_from_labels(
    tuning: Literal["lora", "full"], model: str, data: Path, tmp_path: Path
) -> None:
    train_here(Kto(model=model, tuning=tuning, args=ARGS), data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert metrics["step_zero_loss"] == pytest.approx(0.5, abs=1e-5)
    assert metrics["held_out_loss_before"] == pytest.approx(0.5, abs=1e-5)
    assert metrics["last_loss"] < 0.45
    assert metrics["held_out_loss_after"] < 0.45
    assert metrics["log"][-1]["rewards/margins"] > 0.1
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["reload_max_difference"] <= 1e-3
    assert (manifest["rows"], manifest["rows_truncated"]) == (48, 0)
    lines = (tmp_path / "out/masks.txt").read_text()
    assert "<|im_end|>" in lines.splitlines()[-1]


@pytest.mark.real
def test_an_adapter_is_its_own_reference_and_weights_are_minded(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Sft(model=model, args={**ARGS, "max_steps": 4}), data, tmp_path / "sft")
    args = {**ARGS, "max_steps": 1, "desirable_weight": 1.5}
    train_here(Kto(model=str(tmp_path / "sft"), args=args), data, tmp_path / "kto")
    assert metrics_of(tmp_path / "kto")["step_zero_loss"] == pytest.approx(0.625, abs=1e-4)  # half of 8 rows weigh 1.5


@pytest.mark.real
def test_a_reference_that_is_another_model_is_refused(model: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(TuneworksError, match=r"differ before the first step .*init_lora_weights"):
        train_here(Kto(model=model, lora={"init_lora_weights": "pissa"}, args=ARGS), data, tmp_path / "out")
    assert not (tmp_path / "out/done.json").exists()


@pytest.mark.real
def test_rows_whose_answer_is_cut_away_are_dropped_and_counted(model: str, tmp_path: Path) -> None:
    answers = [Answer("red", scores={"reward": 1.0}), Answer("7", scores={"reward": 0.0})]
    long = Record.born("Say red. " * 40, answers=answers)
    data = write_dataset(tmp_path / "data", [long, *toy_records(9)])
    train_here(Kto(model=model, args={**ARGS, "max_steps": 1, "max_length": 150}), data, tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert (manifest["rows"], manifest["rows_truncated"], manifest["rows_dropped"]) == (20, 2, 2)
