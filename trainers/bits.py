"""Frozen weights of 4 or 8 bit under an adapter: who may ask for them, and which folders tell of them.

This file loads no torch; `quantized` makes them.
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from tuneworks.factory.errors import MissingExtra, RecipeError
from tuneworks.trainers.tuning import Tuning

Bits = Literal[4, 8]

MANIFEST = "manifest.json"
"""What a trained folder says of itself."""

LOADED = ("quantization_config", "device_map")
"""What `quantized` adds to from_pretrained's arguments."""

LOADS = ("quantization_config", "load_in_4bit", "load_in_8bit")
"""Arguments of from_pretrained that `bits` stands for."""


def trained_over(place: str) -> Bits | None:
    """The bits of the frozen weights that the adapter in the folder `place` was trained on; None for those as they
    are."""
    found = _read(Path(place) / MANIFEST).get("bits")
    return found if found in (4, 8) else None


def quantized_with(place: str) -> str | None:
    """How the model in the folder `place` was quantized before it was saved, as transformers calls it."""
    found = _read(Path(place) / "config.json").get("quantization_config")
    return None if found is None else str(found.get("quant_method", "bitsandbytes"))


def refuse_bits(
    bits: Bits | None, tuning: Tuning, args: Mapping[str, Any], peft: Mapping[str, Any], place: str
) -> None:
    """Raise, beginning with `place`, where there can be no weights of so many bits."""
    for name in LOADS:
        if name in (args.get("model_init_kwargs") or {}):
            raise RecipeError(
                f"{place}: args: model_init_kwargs: {name} is written as bits: 4 or bits: 8; leave it out"
            )
    if bits is None:
        return
    if tuning == "full":
        raise RecipeError(
            f"{place}: tuning full trains every weight, and weights of {bits} bit cannot be trained; take tuning: "
            "lora, or leave bits out"
        )
    if bits == 8 and (tuning == "dora" or peft.get("use_dora")):
        raise RecipeError(
            f"{place}: dora reads the weights it stands on, and PEFT does not find those of 8 bit any more once they "
            "are used; take bits: 4, or tuning: lora"
        )
    require_bitsandbytes(f"bits: {bits}")


def refuse_model(bits: Bits | None, merges: bool, folder: str, place: str) -> None:
    """Raise where the model in `folder` was saved quantized, and that cannot go with these bits; `merges` says that
    whole weights are trained, or saved."""
    method = quantized_with(folder)
    if method is None:
        return
    if bits is not None:
        raise RecipeError(f"{place}: the model in {folder} is quantized already; leave bits out")
    if merges:
        raise RecipeError(
            f"{place}: the model in {folder} is quantized, so that its weights can be neither trained nor merged into; "
            "name it as it was before, or train an adapter with tuning: lora"
        )
    if method == "bitsandbytes":
        require_bitsandbytes(f"the quantized model in {folder}")


def refuse_other_bits(bits: Bits | None, folder: str, place: str) -> None:
    """Raise where the adapter in `folder` would go on being trained on other weights than it was."""
    before = trained_over(folder)
    if before != bits:
        write = f"write bits: {before}" if before else "leave bits out"
        was = f"weights of {before} bit" if before else "weights that were not quantized"
        raise RecipeError(f"{place}: the adapter in {folder} was trained on {was}; {write}")


def require_bitsandbytes(purpose: str) -> None:
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("bitsandbytes", "quantized", purpose)


def whole(init: Mapping[str, Any]) -> dict[str, Any]:
    """from_pretrained's arguments for weights that are not quantized."""
    return {name: value for name, value in init.items() if name not in LOADED}


def _read(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
