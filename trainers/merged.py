"""The folder `merged/` beside an adapter: the model that it makes of its base."""

import gc
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from tuneworks.factory.weights import Say
from tuneworks.trainers.bits import Bits, trained_over
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.quantized import apart, quantization

MERGED = "merged"

APART = "apart.json"
"""In it: how far its logits are from those of the adapter on the quantized weights that it was trained on."""

LONGEST = 256
"""Tokens of a prompt that are compared."""

Turns = Sequence[Mapping[str, str]]


def merged_folder(place: str, init: Mapping[str, Any], say: Say, prompts: Sequence[Turns], bf16: bool) -> str:
    """The folder of the model that the adapter in `place` makes of its base, saved beside it.

    A new adapter needs the model under it in a file: its folder names that, and TRL reads references from there. An
    adapter that was trained on quantized weights (in bfloat16 where `bf16`) is merged into those they were made of;
    what that changes is measured on `prompts`.
    """
    folder = Path(place) / MERGED
    if not folder.is_dir():
        say(f"merging the adapter of {Path(place).name} into its model")
        half = folder.with_name(f"{MERGED}.part")
        shutil.rmtree(half, ignore_errors=True)
        made, tokenizer = load_model(place, init, merged=True), AutoTokenizer.from_pretrained(place)
        made.save_pretrained(half)
        tokenizer.save_pretrained(half)
        bits = trained_over(place)
        if bits is not None:
            encoded = [_encoded(tokenizer, turns) for turns in prompts]
            logits = _logits(made, encoded)
            del made  # only now does the quantized one fit beside
            gc.collect()
            lost = apart(logits, _logits(_as_trained(place, init, bits, bf16), encoded))
            (half / APART).write_text(json.dumps({"bits": bits, **lost}), encoding="utf-8")
        half.rename(folder)
    if found := lost_by_merging(str(folder)):
        say(tell_loss(found))
    return str(folder)


def lost_by_merging(folder: str) -> dict[str, float] | None:
    """What merging into other weights than those that were trained on changed; None where they were the same."""
    file = Path(folder) / APART
    found: dict[str, float] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found


def tell_loss(found: Mapping[str, float]) -> str:
    return (
        f"merged into the weights as they were before they had {found['bits']} bit: outputs differ from those of the "
        f"trained model by {found['mean']:.3g} in the mean and {found['max']:.3g} at the most"
    )


def _encoded(tokenizer: Any, turns: Turns) -> list[int]:
    tokens: list[int] = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    return tokens[:LONGEST]


def _as_trained(place: str, init: Mapping[str, Any], bits: Bits, bf16: bool) -> Any:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_model(place, {**init, **quantization(bits, device, bf16)})


@torch.inference_mode()
def _logits(model: Any, encoded: Sequence[Sequence[int]]) -> torch.Tensor:
    """Of every prompt's tokens, one after the other; shape (tokens, vocabulary)."""
    model.eval()
    found = [model(input_ids=torch.tensor([tokens], device=model.device)).logits[0].float().cpu() for tokens in encoded]
    return torch.cat(found)
