"""Adapters on frozen weights of 4 and 8 bit, which bitsandbytes makes: QLoRA."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, MissingExtra, RecipeError
from tuneworks.trainers.bits import Bits, refuse_bits
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.merged import merged_folder
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer
from tuneworks.trainers.tuning import PROMPTS, Tuning

ARGS: dict[str, Any] = {"max_steps": 8, "per_device_train_batch_size": 8, "bf16": False, "learning_rate": 2e-2}

WORKING: list[tuple[Tuning, Bits]] = [
    *((tuning, 4) for tuning in ("lora", "dora", "adalora", "bottleneck", "prefix")),
    *((tuning, 8) for tuning in ("lora", "ia3")),
]

REFUSED: list[tuple[TrlTrainer, str]] = [
    (Sft(tuning="full", bits=4), r"weights of 4 bit cannot be trained; take tuning: lora, or leave bits out"),
    (Sft(tuning="dora", bits=8), r"does not find those of 8 bit .*; take bits: 4, or tuning: lora"),
    (Sft(bits=8, peft={"use_dora": True}), r"does not find those of 8 bit"),
    (Sft(args={"model_init_kwargs": {"load_in_4bit": True}}), r"load_in_4bit is written as bits: 4 or bits: 8"),
]


@pytest.mark.parametrize(("trainer", "words"), REFUSED)
def test_what_cannot_be_is_refused_with_the_reason(trainer: TrlTrainer, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        trainer.check()


def test_without_bitsandbytes_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneworks.trainers.bits.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"bits: 4 needs the package bitsandbytes.*tuneworks\[quantized\]"):
        refuse_bits(4, "lora", {}, {}, "sft")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


@pytest.fixture(scope="module")
def trained(model: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("models") / "sft"
    train_here(Sft(model=model, bits=4, args=ARGS), data, into)
    return into


def told(folder: Path, what: str = "metrics") -> Any:
    return json.loads((folder / f"{what}.json").read_text())


@pytest.mark.real
@pytest.mark.parametrize(("tuning", "bits"), WORKING)
def test_it_trains_and_loads_to_the_same_logits(
    tuning: Tuning, bits: Bits, model: str, data: Path, tmp_path: Path
) -> None:
    rate = 3e-1 if tuning == "ia3" or tuning in PROMPTS else 5e-2
    train_here(Sft(model=model, tuning=tuning, bits=bits, args={**ARGS, "learning_rate": rate}), data, tmp_path / "out")
    metrics, manifest = told(tmp_path / "out"), told(tmp_path / "out", "manifest")
    assert metrics["held_out_loss_after"] < metrics["held_out_loss_before"] - 0.05
    assert manifest["reload_max_difference"] <= 1e-6
    assert manifest["bits"] == bits and "quantization_config" not in manifest["model_init_kwargs"]
    # 37,000 parameters of 109,000 are no linear layer, the embedding among them
    assert manifest["frozen_megabytes"] == pytest.approx({4: 0.130, 8: 0.160}[bits], abs=0.001)


@pytest.mark.real
def test_dpo_starts_at_ln_2_on_them(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Dpo(model=model, bits=8, args={**ARGS, "max_steps": 2}), data, tmp_path / "out")
    assert told(tmp_path / "out")["step_zero_loss"] == pytest.approx(0.693147, abs=1e-5)


@pytest.mark.real
def test_an_adapter_trained_further_is_its_own_reference(trained: Path, data: Path, tmp_path: Path) -> None:
    """Rounded to bfloat16, as TRL would have it, it is not."""
    train_here(Dpo(model=str(trained), bits=4, args={**ARGS, "max_steps": 2}), data, tmp_path / "out")
    assert told(tmp_path / "out")["step_zero_loss"] == pytest.approx(0.693147, abs=1e-6)
    with pytest.raises(RecipeError, match=r"was trained on weights of 4 bit; write bits: 4"):
        Dpo(model=str(trained)).check()


@pytest.mark.real
def test_merging_says_what_it_loses(trained: Path, data: Path) -> None:
    import torch

    into = trained.parent / "dpo"
    trainer = Dpo(follows="sft", args={**ARGS, "max_steps": 2})
    plan = trainer.plan(data, 0, into)
    into.mkdir()
    plan.write(into)
    said: list[str] = []
    from tuneworks.trainers.session import train

    train(type(trainer)(**plan.options), plan, into, said.append)
    lost = told(into)["lost_by_merging"]
    assert lost["bits"] == 4 and 0 < lost["mean"] < lost["max"]
    assert any(f"differ from those of the trained model by {lost['mean']:.3g}" in line for line in said)
    assert told(into)["step_zero_loss"] == pytest.approx(0.693147, abs=1e-5)
    merged, on_whole = load_model(str(trained / "merged"), {}), load_model(str(trained), {})
    tokens = torch.arange(3, 60)[None]
    with torch.inference_mode():
        assert torch.allclose(merged(tokens).logits, on_whole(tokens).logits, atol=1e-4)


@pytest.mark.real
def test_a_reward_model_is_saved_whole(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Reward(model=model, bits=4, args=ARGS), data, tmp_path / "out")
    metrics, manifest = told(tmp_path / "out"), told(tmp_path / "out", "manifest")
    assert metrics["last_loss"] < metrics["first_loss"]
    assert metrics["lost_by_merging"]["bits"] == 4 and metrics["lost_by_merging"]["max"] > 1e-5
    assert manifest["reload_max_difference"] <= 1e-6
    assert "quantization_config" not in told(tmp_path / "out", "config")


@pytest.mark.real
def test_a_model_that_was_saved_quantized_takes_adapters_and_no_more(model: str, data: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from tuneworks.trainers.quantized import quantization

    place = tmp_path / "model"
    load_model(model, quantization(4, "cpu", bf16=False)).save_pretrained(place)
    AutoTokenizer.from_pretrained(model).save_pretrained(place)
    for trainer, words in (
        (Sft(model=str(place), bits=4), r"is quantized already; leave bits out"),
        (Sft(model=str(place), tuning="full"), r"can be neither trained nor merged into"),
        (Reward(model=str(place)), r"can be neither trained nor merged into"),
    ):
        with pytest.raises(RecipeError, match=words):
            trainer.check()
    trainer = Sft(model=str(place), args=ARGS)
    trainer.check()
    train_here(trainer, data, tmp_path / "out")
    assert told(tmp_path / "out")["held_out_loss_after"] < told(tmp_path / "out")["held_out_loss_before"] - 0.05
    assert told(tmp_path / "out", "manifest")["reload_max_difference"] <= 1e-6
    with pytest.raises(InputError, match=r"is quantized, so nothing merges into it; name another"):
        merged_folder(str(tmp_path / "out"), {}, print, [], bf16=False)
