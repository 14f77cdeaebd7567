"""Loading a model to train or to look at, with or without an adapter (LoRA, 2106.09685)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneworks.factory.errors import InputError

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerBase

OURS: Mapping[str, Any] = {
    "r": 16,
    "lora_alpha": 32,
    "target_modules": "all-linear",
    "task_type": "CAUSAL_LM",
}


def is_adapter(place: str) -> bool:
    return (Path(place) / "adapter_config.json").is_file()


def lora_config(written: Mapping[str, Any]) -> "LoraConfig":
    from peft import LoraConfig

    return LoraConfig(**{**OURS, **written})


def load_model(place: str, init: Mapping[str, Any], *, trainable: bool = False, merged: bool = False) -> Any:
    """The model in `place`, its weights in float32 unless `init` (from_pretrained's arguments) says
    otherwise.

    An adapter's folder gives the adapter on its base, ready to be trained further when `trainable`, or
    folded into the base's weights when `merged`.
    """
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import AutoModelForCausalLM

    init = {"dtype": torch.float32, **init}
    if not is_adapter(place):
        return AutoModelForCausalLM.from_pretrained(place, **init)
    base = AutoModelForCausalLM.from_pretrained(PeftConfig.from_pretrained(place).base_model_name_or_path, **init)
    model = PeftModel.from_pretrained(base, place, is_trainable=trainable)
    # PEFT has frozen the base, and leaves it so.
    return model.merge_and_unload().requires_grad_(True) if merged else model


def load_tokenizer(place: str, model: str) -> "PreTrainedTokenizerBase":
    """Raises InputError when it has no chat template: then nobody can say where an answer begins."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place)
    if tokenizer.chat_template is None:
        raise InputError(f"the model {model} has no chat template; name an instruct or chat model")
    return tokenizer
