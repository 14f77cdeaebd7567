"""Loading a model to train or to look at, with or without an adapter."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneworks.factory.errors import InputError
from tuneworks.trainers.bits import whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def is_adapter(place: str) -> bool:
    return (Path(place) / "adapter_config.json").is_file()


def load_model(place: str, init: Mapping[str, Any], *, trainable: bool = False, merged: bool = False) -> Any:
    """The model in `place`, its weights in float32 unless `init` (from_pretrained's arguments) says
    otherwise.

    An adapter's folder gives the adapter on its base, ready to be trained further when `trainable`, or
    folded into the base's weights when `merged`; raises InputError where that cannot be.
    """
    import torch
    from transformers import AutoModelForCausalLM

    init = {"dtype": torch.float32, **init}
    if not is_adapter(place):
        return AutoModelForCausalLM.from_pretrained(place, **init)
    from peft import PeftConfig, PeftModel

    from tuneworks.factory.engines.decoding import know_adapter

    know_adapter(place)
    under = PeftConfig.from_pretrained(place).base_model_name_or_path
    base = AutoModelForCausalLM.from_pretrained(under, **(whole(init) if merged else init))
    model = PeftModel.from_pretrained(base, place, is_trainable=trainable)
    if not merged:
        return model
    from tuneworks.trainers.merging import merge

    # PEFT has frozen the base, and leaves it so.
    return merge(model, place).requires_grad_(True)


def load_tokenizer(place: str, model: str) -> "PreTrainedTokenizerBase":
    """Raises InputError when it has no chat template: then nobody can say where an answer begins."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place)
    if tokenizer.chat_template is None:
        raise InputError(f"the model {model} has no chat template; name an instruct or chat model")
    return tokenizer
