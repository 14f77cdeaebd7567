"""RRHF and SLiC: better answers become likelier than worse ones."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from tiny_model import build_tiny_model, ranked_records, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.record import Answer, Record
from tuneworks.trainers.contrast import Contrast, Loss

ARGS: dict[str, Any] = {
    "max_steps": 16,
    "learning_rate": 1e-2,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "bf16": False,
}


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), ranked_records(24), ranked_records(8, 100))


def test_it_trains_on_rankings_or_pairs(tmp_path: Path) -> None:
    assert (Contrast().rows, Contrast(dataset="preference").rows) == ("ranked", "preference")
    with pytest.raises(InputError, match=r"ranked/train\.parquet to train on"):
        Contrast().plan(tmp_path, 0)


def test_arguments_about_other_rows_are_refused() -> None:
    with pytest.raises(RecipeError, match="contrast: args: packing has no meaning for whole rankings"):
        Contrast(args={"packing": True}).check()


@pytest.mark.real
@pytest.mark.parametrize(("loss", "dataset"), [("rrhf", "ranked"), ("slic", "ranked"), ("slic", "preference")])
def test_it_learns_to_prefer(
    loss: Loss, dataset: Literal["ranked", "preference"], model: str, data: Path, tmp_path: Path
) -> None:
    train_here(Contrast(model=model, loss=loss, dataset=dataset, rank_weight=10, args=ARGS), data, tmp_path / "out")
    metrics, manifest = read(tmp_path / "out/metrics.json"), read(tmp_path / "out/manifest.json")
    first, last = metrics["log"][0], metrics["log"][-1]
    assert first["loss"] == pytest.approx(10 * first["rank_loss"] + first["lm_loss"], rel=1e-3)
    assert metrics["last_loss"] < 0.7 * metrics["first_loss"]
    assert metrics["held_out_loss_after"] < 0.7 * metrics["held_out_loss_before"]
    assert last["rank_loss"] < 0.5 * first["rank_loss"]
    assert last["lm_loss"] < first["lm_loss"]
    assert metrics["held_out_accuracy"] >= 0.95
    assert manifest["reload_max_difference"] <= 1e-3
    assert manifest["rows"] == 24
    masks = (tmp_path / "out/masks.txt").read_text()
    assert 'in the loss  "red red red<|im_end|>\\n"' in masks


@pytest.mark.real
def test_every_weight_can_be_trained(model: str, data: Path, tmp_path: Path) -> None:
    args = {**ARGS, "max_steps": 8, "learning_rate": 3e-3}
    train_here(Contrast(model=model, tuning="full", args=args), data, tmp_path / "out")
    metrics = read(tmp_path / "out/metrics.json")
    assert metrics["last_loss"] < metrics["first_loss"]
    assert (tmp_path / "out/model.safetensors").is_file()


@pytest.mark.real
def test_two_small_batches_are_one_large_one(model: str, data: Path, tmp_path: Path) -> None:
    losses = []
    for batch, together in ((8, 1), (4, 2)):
        args = {**ARGS, "max_steps": 2, "per_device_train_batch_size": batch, "gradient_accumulation_steps": together}
        train_here(Contrast(model=model, args=args), data, tmp_path / str(batch))
        losses.append(read(tmp_path / str(batch) / "metrics.json"))
    assert losses[1]["first_loss"] == pytest.approx(losses[0]["first_loss"], rel=1e-3)
    assert losses[1]["held_out_loss_after"] == pytest.approx(losses[0]["held_out_loss_after"], rel=1e-3)


@pytest.mark.real
def test_long_answers_are_cut_and_long_prompts_dropped(model: str, tmp_path: Path) -> None:
    def record(prompt: str, bad: str) -> Record:
        return Record.born(prompt, answers=[Answer("red", scores={"reward": 1.0}), Answer(bad, scores={"reward": 0.0})])

    odd = [record("Say red. " * 40, "7"), record("Say red.", "7 " * 100)]
    data = write_dataset(tmp_path / "data", [*odd, *toy_records(10)])
    args = {**ARGS, "max_steps": 1, "max_length": 150}
    train_here(Contrast(model=model, args=args), data, tmp_path / "out")
    manifest = read(tmp_path / "out/manifest.json")
    assert (manifest["rows"], manifest["rows_truncated"], manifest["rows_dropped"]) == (12, 2, 1)
