"""Folding an adapter into the weights of its model, and looking whether that answers the same."""

from typing import Any

import torch

from tuneworks.factory.errors import InputError

ROUNDING = 0.05
"""Most that merging may change logits by, as a share of their size: rounding to bfloat16 changes them by a fiftieth."""

PROBED = 32
"""Tokens whose logits are compared."""


@torch.no_grad()
def merge(model: Any, place: str) -> Any:
    """The model under `model`, the adapter of the folder `place`, with what it learned in its own weights."""
    if getattr(model.get_base_model(), "hf_quantizer", None) is not None:
        raise InputError(
            f"the model under the adapter in {place} is quantized, so nothing merges into it; name another"
        )
    if model.active_peft_config.is_prompt_learning:
        raise InputError(
            f"what is learned in {place} stands before the prompt, so nothing merges it; name another model"
        )
    tokens = torch.linspace(0, model.config.get_text_config().vocab_size - 1, PROBED, device=model.device).long()[None]
    wanted = model.eval()(input_ids=tokens).logits.float()
    try:
        made = model.merge_and_unload()
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InputError(f"the adapter in {place} cannot be merged into its model ({reason}); name another") from error
    far = (made(input_ids=tokens).logits.float() - wanted).abs().mean() / wanted.abs().mean()
    if not far <= ROUNDING:
        raise InputError(
            f"the adapter in {place} cannot be merged into its model, for the answers would change (its logits by "
            f"{float(far):.0%}), as where it changes an embedding that is also the head; train one without that"
        )
    return made
