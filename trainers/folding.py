"""A model with an output for each objective becomes one with a single output, the weighted sum of theirs.

The outputs are linear, so that one weight vector, w @ W, gives exactly that sum, and any server can read the model.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor, nn

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers.groups import GroupCollator
from tuneworks.trainers.rankings import accuracy, pairs

EXACT = 1e-6
"""How far the folded score may be from the sum of the outputs, in parts of the largest score or of 1."""


@torch.inference_mode()
def outputs_of(model: Any, groups: Dataset, pad: int) -> list[Tensor]:
    """Of each group what the model gives its answers: (answers, outputs), in float64."""
    collate, found = GroupCollator(pad), []
    for group in groups:
        batch = collate([group])
        inputs = {name: batch[name].to(model.device) for name in ("input_ids", "attention_mask")}
        found.append(model(**inputs, use_cache=False).logits.double().cpu())
    return found


def fold(model: Any, weights: Sequence[float]) -> None:
    """In place: the head's weights (outputs, width) become (1, width)."""
    each = torch.tensor(weights, dtype=torch.float64)
    for head in heads(model, len(weights)):
        for name in ("weight", "bias"):
            own = getattr(head, name)
            if own is not None:
                folded = (each.to(own.device) @ own.detach().double())[None].to(own.dtype)
                setattr(head, name, nn.Parameter(folded.reshape(1, *own.shape[1:]), requires_grad=own.requires_grad))
        head.out_features = 1


def heads(model: Any, outputs: int) -> Iterator[nn.Linear]:
    """The head, and the copy of it that PEFT keeps."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    for name, child in inner.named_children():
        if name != inner.base_model_prefix:
            for part in child.modules():
                if isinstance(part, nn.Linear) and part.out_features == outputs:
                    yield part


def require_exact(before: Sequence[Tensor], after: Sequence[Tensor], weights: Sequence[float]) -> float:
    """The largest difference between weighted outputs and folded score; raises where it is more than rounding."""
    each = torch.tensor(weights, dtype=torch.float64)
    wanted, found = torch.cat(list(before)) @ each, torch.cat(list(after)).squeeze(-1)
    difference = float((wanted - found).abs().max())
    if not difference <= EXACT * max(1.0, float(wanted.abs().max())):
        raise TuneworksError(
            f"the folded reward model differs from the sum of its objectives by {difference:.3g}; "
            "train a model whose head is one linear layer"
        )
    return difference


def agreement(scores: Sequence[Tensor], wanted: Sequence[Tensor]) -> dict[str, float | None]:
    """Of one objective; each tensor is a group's, (answers,). Pairs are those of a group; a share of none is None."""
    told = [accuracy(own, want) for own, want in zip(scores, wanted, strict=True) if len(pairs(want)[0])]
    both = torch.stack([torch.cat(list(scores)), torch.cat(list(wanted))])
    varied = bool((both.std(dim=1) > 0).all())
    return {
        "accuracy": sum(told) / len(told) if told else None,
        "correlation": float(torch.corrcoef(both)[0, 1]) if varied else None,
    }
