"""What a reward model can be made of."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, ranked_records, train_here, write_dataset
from tiny_rewards import build_llama

from tuneworks.factory.errors import InputError
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft

pytestmark = pytest.mark.real

ARGS: dict[str, Any] = {"max_steps": 2, "learning_rate": 1e-2, "per_device_train_batch_size": 8, "bf16": False}


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), ranked_records(16))


def test_it_starts_from_a_trained_adapter(model: str, data: Path, tmp_path: Path) -> None:
    """What supervised training taught is merged into the body before a new adapter is put on it."""
    import torch

    from tuneworks.trainers.loading import load_model
    from tuneworks.trainers.reward_model import reward_model

    train_here(Sft(model=model, args={**ARGS, "max_steps": 4}), data, tmp_path / "sft")
    made = reward_model(str(tmp_path / "sft"), {}, "sft")
    merged = load_model(str(tmp_path / "sft"), {}, merged=True)
    tokens = torch.arange(3, 40)[None]
    with torch.inference_mode():
        bodies = [made.model.model(tokens).last_hidden_state, merged.model(tokens).last_hidden_state]
        assert torch.equal(*bodies)
        assert float(made.model(tokens).logits.abs().max()) == 0
    trainer = Reward(model=str(tmp_path / "sft"), loss="all_pairs", lora={"r": 4}, args=ARGS)
    train_here(trainer, data, tmp_path / "out")
    assert read(tmp_path / "out/manifest.json")["peft"]["r"] == 4


def test_a_model_it_cannot_start_from_is_refused(tmp_path: Path, data: Path) -> None:
    two = build_llama(tmp_path / "two", labels=("bad", "good"))
    with pytest.raises(InputError, match="is a classifier with 2 labels; name one with one"):
        train_here(Reward(model=two, args=ARGS), data, tmp_path / "out")
    one = build_llama(tmp_path / "one")
    with pytest.raises(InputError, match="has no language-model head any more; set lm_weight to 0"):
        train_here(Reward(model=one, lm_weight=0.1, args=ARGS), data, tmp_path / "again")


def test_an_adapter_of_a_classifier_is_refused(tmp_path: Path, data: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    base = build_llama(tmp_path / "base")
    tuned: Any = get_peft_model(
        AutoModelForSequenceClassification.from_pretrained(base), LoraConfig(task_type="SEQ_CLS", r=2)
    )
    tuned.save_pretrained(tmp_path / "adapter")
    with pytest.raises(InputError, match="is an adapter of a classifier; merge it into its base"):
        reward_model_of(str(tmp_path / "adapter"))


def test_a_model_whose_logits_are_scaled_keeps_no_language_model(tmp_path: Path) -> None:
    from tuneworks.trainers.reward_model import language_head

    made = reward_model_of(build_tiny_model(tmp_path / "model"))
    assert language_head(made, "it") is None
    made.model.config.final_logit_softcapping = 30.0
    with pytest.raises(InputError, match="logits of it are scaled in a way of their own; set lm_weight to 0"):
        language_head(made, "it")


def test_a_model_without_such_a_class_is_refused(tmp_path: Path) -> None:
    from transformers import WhisperConfig, WhisperForCausalLM

    sizes: dict[str, Any] = {"d_model": 16, "decoder_layers": 1, "encoder_layers": 1, "vocab_size": 300}
    sizes |= {"decoder_attention_heads": 2, "encoder_attention_heads": 2, "pad_token_id": 0}
    WhisperForCausalLM(WhisperConfig(**sizes)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="makes no reward model of a WhisperForCausalLM as it is"):
        reward_model_of(str(tmp_path), "it")


def reward_model_of(place: str, name: str = "it") -> Any:
    from tuneworks.trainers.reward_model import reward_model

    return reward_model(place, {}, name)
