"""Makes the frozen weights of QLoRA (2305.14314) through bitsandbytes, and measures what they cost and lose."""

from typing import Any

import torch
from peft import load_peft_weights, set_peft_model_state_dict
from transformers import BitsAndBytesConfig

from tuneworks.trainers.bits import Bits
from tuneworks.trainers.loading import is_adapter


def quantization(bits: Bits, device: str, bf16: bool) -> dict[str, Any]:
    """Arguments of from_pretrained. 4 bit are NormalFloat with its scales quantized in turn, computed with in bfloat16
    where the training is; 8 bit are LLM.int8 (2208.07339)."""
    if bits == 8:
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if bf16 else torch.float32,
        )
    return {"quantization_config": config} | ({"device_map": {"": device}} if device != "cpu" else {})


def in_float32(model: Any, place: str) -> None:
    """Undo TRL's rounding of an adapter on quantized weights to bfloat16, in which small steps are lost and an adapter
    that is trained further is no longer its own reference."""
    if not (getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False)):
        return
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    if is_adapter(place):
        set_peft_model_state_dict(model, load_peft_weights(place, device=str(model.device)))


def frozen_bytes(model: Any) -> int:
    """What the weights take that are not trained, the scales of quantized ones included."""
    frozen = [weight for weight in model.parameters() if not weight.requires_grad]
    return sum(_bytes(weight) + sum(map(_bytes, _scales(weight))) for weight in frozen)


def _scales(weight: Any) -> list[torch.Tensor]:
    state = getattr(weight, "quant_state", None)
    nested = getattr(state, "state2", None)
    found = [getattr(weight, "SCB", None)]
    found += [getattr(one, name, None) for one in (state, nested) if one is not None for name in ("absmax", "code")]
    return [scale for scale in found if isinstance(scale, torch.Tensor)]


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def apart(one: torch.Tensor, other: torch.Tensor) -> dict[str, float]:
    """How far two sets of logits are from each other."""
    far = (one - other).abs()
    return {"max": float(far.max()), "mean": float(far.mean())}
