"""A training from its plan to a whole folder, on the toy model."""

import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.record import Answer, Record
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.worker import KINDS

pytestmark = pytest.mark.real

ARGS = {"max_steps": 12, "learning_rate": 1e-2, "per_device_train_batch_size": 8, "bf16": False}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.arange(3, 60)[None]).logits


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_it_learns_and_leaves_a_whole_folder(
    tuning: Literal["lora", "full"], model: str, data: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    into = tmp_path / "out"
    said = train_here(Sft(model=model, tuning=tuning, args=ARGS), data, into, seed=3)

    metrics, manifest = read(into / "metrics.json"), read(into / "manifest.json")
    assert metrics["steps"] == 12
    assert [entry["step"] for entry in metrics["log"]] == list(range(1, 13))
    assert metrics["last_loss"] < metrics["first_loss"] - 0.5
    assert metrics["held_out_loss_after"] < metrics["held_out_loss_before"] - 0.5
    assert metrics["tokens_per_second"] > 0
    assert f"held-out loss after training: {metrics['held_out_loss_after']:.4f}" in said

    assert (manifest["rows"], manifest["rows_truncated"], manifest["rows_dropped"]) == (24, 0, 0)
    assert 0 < manifest["tokens_in_loss"] < manifest["tokens"]
    assert manifest["reload_max_difference"] <= 1e-3
    assert (manifest["seed"], manifest["dtype"], manifest["args"]["seed"]) == (3, "float32", 3)
    assert manifest["args"]["max_steps"] == 12
    assert set(manifest["versions"]) == {"tuneworks", "torch", "transformers", "trl", "peft", "datasets"}
    assert manifest["data"]["train"]["sha256"] != manifest["data"]["test"]["sha256"]

    again = AutoModelForCausalLM.from_pretrained(into)
    assert not torch.allclose(logits(again), logits(load_model(model, {})), atol=0.1)
    tokenizer = AutoTokenizer.from_pretrained(into)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert text == "<|im_start|>user\nhi<|im_end|>\n"
    assert not (into / "cache").exists()
    assert not list(into.glob("checkpoint-*"))


def test_the_same_plan_gives_the_same_losses(model: str, data: Path, tmp_path: Path) -> None:
    trainer = Sft(model=model, args={**ARGS, "max_steps": 4})
    losses = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_here(trainer, data, tmp_path / name, seed)
        losses.append([entry["loss"] for entry in read(tmp_path / name / "metrics.json")["log"]])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_without_held_out_rows_nothing_is_said_of_them(model: str, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(8))
    train_here(Sft(model=model, args={"max_steps": 1, "bf16": False}), data, tmp_path / "out")
    metrics = read(tmp_path / "out/metrics.json")
    assert metrics["held_out_loss_before"] is None
    assert metrics["held_out_loss_after"] is None


def test_an_adapter_is_trained_further(model: str, data: Path, tmp_path: Path) -> None:
    args = {**ARGS, "max_steps": 4}
    train_here(Sft(model=model, args=args), data, tmp_path / "one")
    train_here(Sft(model=str(tmp_path / "one"), args=args), data, tmp_path / "two")
    one, two = (read(tmp_path / name / "metrics.json") for name in ("one", "two"))
    assert two["held_out_loss_before"] == pytest.approx(one["held_out_loss_after"], abs=1e-3)
    assert two["held_out_loss_after"] < one["held_out_loss_after"]
    assert read(tmp_path / "two/adapter_config.json")["base_model_name_or_path"] == model


def test_every_weight_of_an_adapter_and_its_base_can_be_trained(model: str, data: Path, tmp_path: Path) -> None:
    args = {**ARGS, "max_steps": 4}
    train_here(Sft(model=model, args=args), data, tmp_path / "one")
    train_here(Sft(model=str(tmp_path / "one"), tuning="full", args=args), data, tmp_path / "two")
    one, two = (read(tmp_path / name / "metrics.json") for name in ("one", "two"))
    assert two["held_out_loss_before"] == pytest.approx(one["held_out_loss_after"], abs=1e-3)
    assert (tmp_path / "two/model.safetensors").is_file()
    assert not (tmp_path / "two/adapter_config.json").exists()


def test_a_loss_that_is_no_number_ends_the_training(model: str, data: Path, tmp_path: Path) -> None:
    args = {**ARGS, "learning_rate": 1e30, "max_grad_norm": 1e30}
    with pytest.raises(TuneworksError, match="the weights are lost; lower learning_rate"):
        train_here(Sft(model=model, tuning="full", args=args), data, tmp_path / "out")
    assert not (tmp_path / "out/done.json").exists()


def test_a_saved_adapter_that_answers_differently_is_refused(model: str, data: Path, tmp_path: Path) -> None:
    """This initialisation takes a random part out of the base's weights, and another when the adapter is loaded."""
    with pytest.raises(TuneworksError, match=r"logits differ by .*init_lora_weights"):
        train_here(Sft(model=model, peft={"init_lora_weights": "pissa_niter_4"}, args=ARGS), data, tmp_path / "out")
    assert not (tmp_path / "out/done.json").exists()


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_rows_whose_answer_is_cut_away_are_dropped_and_counted(kind: str, model: str, tmp_path: Path) -> None:
    answers = [Answer("red", scores={"reward": 1.0}), Answer("7", scores={"reward": 0.0})]
    long = Record.born("Say red. " * 40, answers=answers)
    data = write_dataset(tmp_path / "data", [long, *toy_records(9)], [long])
    args = {**ARGS, "max_steps": 1, "max_length": 150, "per_device_train_batch_size": 1}
    train_here(KINDS[kind](model=model, args=args), data, tmp_path / "out")
    manifest = read(tmp_path / "out/manifest.json")
    assert (manifest["rows"], manifest["rows_truncated"], manifest["rows_dropped"]) == (10, 1, 1)
    assert read(tmp_path / "out/metrics.json")["held_out_loss_after"] is None


def test_rows_without_their_answers_end_are_counted(model: str, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(10))
    train_here(Sft(model=model, args={"max_steps": 1, "max_length": 60, "bf16": False}), data, tmp_path / "out")
    manifest = read(tmp_path / "out/manifest.json")
    assert manifest["rows_truncated"] == 1
    assert math.isfinite(read(tmp_path / "out/metrics.json")["first_loss"])
