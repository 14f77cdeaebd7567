"""A reward model: a language model with one output in the place of its head; making one, and loading it again."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import AutoConfig, AutoModelForSequenceClassification

from tuneworks.factory.errors import InputError
from tuneworks.trainers.bits import whole
from tuneworks.trainers.loading import is_adapter, load_model

SCALED_LOGITS = ["final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier"]
"""Settings of models that do more to their logits than multiply by the head's weights."""


class RewardModel(NamedTuple):
    model: Any
    head: torch.Tensor | None
    """The language model's head (vocabulary, width), frozen; None where it is the model's own embedding, or gone."""


def reward_model(place: str, init: Mapping[str, Any], name: str, outputs: int = 1) -> RewardModel:
    """A reward model of the model in `place`, an adapter there merged; raises InputError where none can be made.

    With several outputs its configuration still says one: TRL refuses others, and one is what they are folded into.
    """
    if is_adapter(place):
        if PeftConfig.from_pretrained(place).task_type == "SEQ_CLS":
            raise InputError(f"{name} is an adapter of a classifier; merge it into its base and name that")
    else:
        config = AutoConfig.from_pretrained(place)
        if any("SequenceClassification" in kind for kind in config.architectures or []):
            if outputs > 1:
                raise InputError(
                    f"{name} is a reward model of one output; objectives begin from a chat model, name one"
                )
            return RewardModel(_trained(place, init, config, name), None)
    causal = load_model(place, init, merged=True)
    own = causal.get_output_embeddings().weight
    tied = own is causal.get_input_embeddings().weight
    return RewardModel(_with_output(causal, name, outputs), None if tied else own.detach())


def merged_into_whole(trained: Any, place: str, init: Mapping[str, Any], name: str) -> Any:
    """The adapter of a reward model that was trained on quantized weights, merged into those they were made of."""
    adapter: Any = get_peft_model(
        reward_model(place, whole(init), name).model, deepcopy(trained.peft_config["default"])
    )
    set_peft_model_state_dict(adapter, get_peft_model_state_dict(trained))
    return adapter.eval().merge_and_unload()


def load_reward_model(place: str, init: Mapping[str, Any]) -> Any:
    return AutoModelForSequenceClassification.from_pretrained(place, **{"dtype": torch.float32, **init})


def language_head(made: RewardModel, name: str) -> torch.Tensor | None:
    """What the language-model loss multiplies with: the frozen head, or None for the embedding, which is trained."""
    config = made.model.config.get_text_config()
    if any(getattr(config, setting, None) not in (None, 1, 1.0) for setting in SCALED_LOGITS):
        raise InputError(f"the logits of {name} are scaled in a way of their own; set lm_weight to 0")
    if made.head is None and not config.tie_word_embeddings:
        raise InputError(f"{name} has no language-model head any more; set lm_weight to 0 or name its language model")
    return made.head


def _trained(place: str, init: Mapping[str, Any], config: Any, name: str) -> Any:
    if config.num_labels != 1:
        raise InputError(f"{name} is a classifier with {config.num_labels} labels; name one with one, or a chat model")
    return load_reward_model(place, init)


def _with_output(causal: Any, name: str, outputs: int) -> Any:
    """The model on the language model's own body, so that no second copy is held; its output is zero, so that every
    answer starts with the same score."""
    config = deepcopy(causal.config)
    config.num_labels = outputs
    try:
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config)
    except ValueError:  # transformers has no such class for it
        model = None
    if model is None or type(model.base_model) is not type(causal.base_model):
        raise InputError(f"transformers makes no reward model of a {type(causal).__name__} as {name} is; name another")
    setattr(model, model.base_model_prefix, causal.base_model)
    for part in model.children():
        if any(weight.is_meta for weight in part.parameters()):
            part.to_empty(device=causal.device).to(causal.dtype)
            for weight in part.parameters():
                torch.nn.init.zeros_(weight)
    model.config.num_labels = model.num_labels = 1
    return model
