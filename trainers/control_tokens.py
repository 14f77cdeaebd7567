"""Controls as special tokens, one a level, right behind the header of the assistant's turn (SteerLM 2310.05344, Quark
2205.13636 put theirs beside the answer, too).

A token costs one place of the context and means nothing before the training, so it separates levels sooner than words
do; but the model needs its own tokenizer from then on.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

ASKED = "{{%- if add_generation_prompt -%}}{{{{ control if control is defined else '{best}' }}}}{{%- endif -%}}"


def token_of(label: str) -> str:
    return f"<|quality_{label}|>"


def add_to_tokenizer(tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]) -> None:
    tokens = [token_of(label) for label in labels]
    tokenizer.add_special_tokens({"extra_special_tokens": tokens}, replace_extra_special_tokens=False)


def add_to_model(model: Any, numbers: Sequence[int]) -> None:
    """Makes room for the tokens of these numbers; each begins as the mean of all others."""
    if max(numbers) >= model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(max(numbers) + 1, mean_resizing=False)
    with torch.no_grad():
        for part in (model.get_input_embeddings(), model.get_output_embeddings()):
            part.weight[list(numbers)] = part.weight[: min(numbers)].mean(0)


def asking_for(template: str, label: str) -> str:
    """The chat template with the token of `label` behind the header of the answer that is to be given, unless the one
    who renders it names another as `control`."""
    return template + ASKED.format(best=token_of(label))
