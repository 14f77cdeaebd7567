"""How likely a model finds given tokens: the one place that knows of TRL's fused head.

The fused head (TRL 1.16) never holds the logits of a whole batch, which for a large vocabulary are most of the memory.
It is young, so a model without it, or a TRL that no longer has it, is asked for its logits.
"""

from typing import Any

import torch
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor

IGNORED = -100


def let_token_heads_be_fused() -> None:
    """TRL asks the head for its bias, and where single tokens of an embedding are trained (trainable_token_indices)
    that is also the head, PEFT's stand-in for it names none."""
    wrapper: Any = TrainableTokensWrapper
    if not hasattr(wrapper, "bias"):
        wrapper.bias = property(lambda self: getattr(self.original_module, "bias", None))


def label_log_probs(model: Any, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of each label given all tokens before it, 0 where it is -100; shape (sequences, time - 1)."""
    outputs = model(
        input_ids=input_ids, attention_mask=attention_mask, labels=labels, use_cache=False, fused_lm_head=True
    )
    fused = getattr(outputs, "log_probs", None)
    if fused is not None:
        # What prompt-learning adapters put before the tokens has outputs of its own.
        found: Tensor = fused[:, -(labels.shape[1] - 1) :]
        return found
    return from_logits(outputs.logits[:, -labels.shape[1] :], labels)


def from_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """The same from logits (sequences, time, vocabulary)."""
    wanted = labels[:, 1:]
    inside = wanted != IGNORED
    chosen = logits[:, :-1].float().log_softmax(-1).gather(-1, wanted.masked_fill(~inside, 0)[..., None])
    return torch.where(inside, chosen.squeeze(-1), 0.0)
