"""Loading a model to train or to look at, with or without an adapter."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneworks.factory.errors import InputError
from tuneworks.factory.weights import Say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MERGED = "merged"


def is_adapter(place: str) -> bool:
    return (Path(place) / "adapter_config.json").is_file()


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


def merged_folder(place: str, init: Mapping[str, Any], say: Say) -> str:
    """The folder of the model that the adapter in `place` makes of its base, saved beside it.

    A new adapter needs the model under it in a file: its folder names that, and TRL reads references from there.
    """
    from transformers import AutoTokenizer

    folder = Path(place) / MERGED
    if not folder.is_dir():
        say(f"merging the adapter of {Path(place).name} into its model")
        half = folder.with_name(f"{MERGED}.part")
        shutil.rmtree(half, ignore_errors=True)
        load_model(place, init, merged=True).save_pretrained(half)
        AutoTokenizer.from_pretrained(place).save_pretrained(half)
        half.rename(folder)
    return str(folder)


def load_tokenizer(place: str, model: str) -> "PreTrainedTokenizerBase":
    """Raises InputError when it has no chat template: then nobody can say where an answer begins."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place)
    if tokenizer.chat_template is None:
        raise InputError(f"the model {model} has no chat template; name an instruct or chat model")
    return tokenizer
