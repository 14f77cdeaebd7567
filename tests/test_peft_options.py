"""Options that PEFT and TRL take and that would go wrong without a word."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer

ARGS: dict[str, Any] = {"max_steps": 5, "per_device_train_batch_size": 8, "bf16": False, "learning_rate": 2e-2}

BASES_CHANGED = ["pissa", "pissa_niter_4", "olora"]
PREPARED = ["eva", "corda", "loftq", "lora_ga"]

REFUSED: list[tuple[TrlTrainer, str]] = [
    *((Sft(peft={"init_lora_weights": name}), rf"{name} changes the model's own weights") for name in BASES_CHANGED),
    *((Sft(peft={"init_lora_weights": name}), rf"{name} begins from what PEFT measures") for name in PREPARED),
    (Sft(peft={"target_modules": ["q_proj", "lm_head"]}), r"would not be trained; write modules_to_save: \[lm_head\]"),
    (Sft(peft={"alora_invocation_tokens": [7]}), r"tokens that these rows do not have; leave it out"),
    (Sft(peft={"inference_mode": True}), r"it would freeze what is to be learned"),
    (Sft(peft={"task_type": "SEQ_CLS"}), r"task_type cannot be chosen"),
    (Sft(tuning="prompt", peft={"num_virtual_tokens": 0}), r"nothing would be learned; write 20"),
    (Dpo(peft={"bias": "all"}), r"the reference, .* would move with them; leave bias out"),
    (Kto(peft={"bias": "lora_only"}), r"the reference, .* would move with them"),
    (Kto(tuning="prefix"), r"would not begin as its reference"),
]


@pytest.mark.parametrize(("trainer", "words"), REFUSED)
def test_what_would_go_wrong_silently_is_refused_with_the_reason(trainer: TrlTrainer, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        trainer.check()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """By whether the head is the embedding."""
    return {tied: build_tiny_model(tmp_path_factory.mktemp("model"), tied=tied) for tied in (True, False)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model.eval()(input_ids=torch.arange(3, 60)[None]).logits


WORKING: list[tuple[bool, dict[str, Any], str]] = [
    (True, {"modules_to_save": ["lm_head"]}, "lm_head"),
    (True, {"trainable_token_indices": [5, 6]}, "trainable_tokens_delta"),
    (False, {"trainable_token_indices": [5, 6]}, "trainable_tokens_delta"),
]


@pytest.mark.real
@pytest.mark.parametrize(("tied", "peft", "part"), WORKING)
def test_what_works_trains_and_merges(
    tied: bool, peft: dict[str, Any], part: str, models: dict[bool, str], data: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    into = tmp_path / "out"
    train_here(Sft(model=models[tied], peft=peft, args=ARGS), data, into)
    metrics = json.loads((into / "metrics.json").read_text())
    assert metrics["held_out_loss_after"] < metrics["held_out_loss_before"] - 0.1
    saved = [tensor for name, tensor in load_file(into / "adapter_model.safetensors").items() if part in name]
    assert saved and all(float(tensor.abs().max()) > 0 for tensor in saved)
    adapted, merged = load_model(str(into), {}), load_model(str(into), {}, merged=True)
    assert torch.allclose(logits(merged), logits(adapted), atol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert torch.allclose(logits(again), logits(adapted), atol=1e-4)


@pytest.mark.real
def test_single_tokens_of_an_embedding_that_is_the_head_are_learned_through_the_head(
    models: dict[bool, str], data: Path, tmp_path: Path
) -> None:
    """Token 250 is nowhere in the rows, so it is moved by the head alone, which is not to give it."""
    from safetensors.torch import load_file

    peft = {"trainable_token_indices": [250], "target_modules": ["q_proj"]}
    train_here(Sft(model=models[True], peft=peft, args=ARGS), data, tmp_path / "out")
    held = load_file(tmp_path / "out/adapter_model.safetensors")
    learned = next(rows for name, rows in held.items() if "trainable_tokens" in name)[0]
    before = load_model(models[True], {}).get_input_embeddings().weight[250]
    assert float((learned - before).detach().abs().max()) > 1e-2


@pytest.mark.real
def test_a_merge_that_would_change_the_answers_is_refused(models: dict[bool, str], data: Path, tmp_path: Path) -> None:
    peft = {"target_modules": ["embed_tokens", "q_proj"]}
    train_here(Sft(model=models[True], peft=peft, args=ARGS), data, tmp_path / "out")
    with pytest.raises(
        InputError, match=r"its logits by \d+%\), as where it changes an embedding that is also the head"
    ):
        load_model(str(tmp_path / "out"), {}, merged=True)


@pytest.mark.real
def test_a_prompt_begins_from_a_text(models: dict[bool, str], data: Path, tmp_path: Path) -> None:
    peft = {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "Repeat the word."}
    train_here(Sft(model=models[True], tuning="prompt", peft=peft, args=ARGS), data, tmp_path / "out")
    assert json.loads((tmp_path / "out/manifest.json").read_text())["reload_max_difference"] == 0
