"""How a model is tuned: in full, or by one of PEFT's methods with our defaults; and what cannot go together.

Nothing here loads torch until a configuration is made.
"""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneworks.factory.errors import RecipeError

Tuning = Literal["lora", "rslora", "dora", "adalora", "ia3", "bottleneck", "prompt", "prefix", "p_tuning", "full"]

PROMPTS = ("prompt", "prefix", "p_tuning")
"""What is learned stands before the text, and the model stays as it is."""

UNMERGED: Mapping[str, str] = {
    **dict.fromkeys(PROMPTS, "stands before the prompt"),
    "bottleneck": "bends what passes through a layer",
}
"""Ways to tune that merge into no model, and why: what they learn ..."""

NOT_RESUMED = ("adalora", "p_tuning")
"""PEFT saves what these came to (the ranks that are left; the prompt without its encoder), not what training needs."""

PLACEMENTS = ("houlsby", "pfeiffer")
"""Where bottlenecks stand, the usual one first."""

WARMUP, LAST = 0.1, 0.3
"""Shares of an AdaLoRA training before ranks are taken away, and after all are."""


@dataclass(frozen=True, slots=True)
class Method:
    config: str
    """PEFT's configuration class."""
    kind: str
    """What PEFT calls it in adapter_config.json."""
    ours: Mapping[str, Any]
    """Our options, where they differ from PEFT's."""
    rate: float = 1.0
    """Its learning rate, in those of LoRA."""
    module: str = "peft"
    """Where its configuration class is."""


LINEAR: Mapping[str, Any] = {"target_modules": "all-linear"}
LORA: Mapping[str, Any] = {**LINEAR, "r": 16, "lora_alpha": 32}

METHODS: Mapping[str, Method] = {
    "lora": Method("LoraConfig", "LORA", LORA),
    # Of a higher rank, for which it is made; its scale is alpha / sqrt(r), here the same 2 as that of lora.
    "rslora": Method("LoraConfig", "LORA", {**LINEAR, "r": 64, "lora_alpha": 16, "use_rslora": True}),
    "dora": Method("LoraConfig", "LORA", {**LORA, "use_dora": True}),
    "adalora": Method("AdaLoraConfig", "ADALORA", {**LINEAR, "init_r": 24, "target_r": 16, "lora_alpha": 32}, 2.0),
    "ia3": Method("IA3Config", "IA3", {}, 10.0),
    "bottleneck": Method("BottleneckConfig", "BOTTLENECK", {}, module="tuneworks.factory.bottleneck"),
    "prompt": Method(
        "PromptTuningConfig", "PROMPT_TUNING", {"num_virtual_tokens": 20, "prompt_tuning_init": "SAMPLE_VOCAB"}, 20.0
    ),
    # A random prefix begins far from the model it stands before.
    "prefix": Method("PrefixTuningConfig", "PREFIX_TUNING", {"num_virtual_tokens": 20, "init_weights": "zero"}, 20.0),
    "p_tuning": Method("PromptEncoderConfig", "P_TUNING", {"num_virtual_tokens": 20, "encoder_hidden_size": 128}, 4.0),
}


def options_of(tuning: Tuning, written: Mapping[str, Any]) -> dict[str, Any] | None:
    """PEFT's options: ours, and over them the user's; None where every weight is trained."""
    return None if tuning == "full" else {"task_type": "CAUSAL_LM", **METHODS[tuning].ours, **written}


def learning_rate(tuning: Tuning, rates: Mapping[Tuning, float]) -> float:
    """`rates` are a trainer's own: at least those of lora and full."""
    return rates[tuning] if tuning in rates else rates["lora"] * METHODS[tuning].rate


def tuning_config(tuning: Tuning, written: Mapping[str, Any], steps: int = 1) -> Any:
    """PEFT's configuration of a new adapter. AdaLoRA takes its ranks away over the training's `steps`."""
    schedule = {} if tuning != "adalora" else {"total_step": steps, **adalora_schedule(steps)}
    options = {**schedule, **(options_of(tuning, written) or {})}
    return getattr(importlib.import_module(METHODS[tuning].module), METHODS[tuning].config)(**options)


def adalora_schedule(steps: int) -> dict[str, int]:
    return {"tinit": int(WARMUP * steps), "tfinal": int(LAST * steps)}


def refuse(tuning: Tuning, args: Mapping[str, Any], peft: Mapping[str, Any], place: str) -> None:
    """Raise a RecipeError, beginning with `place`, for what cannot go together."""
    if tuning in PROMPTS:
        for name in ("packing", "padding_free", "eval_packing"):
            if args.get(name):
                raise RecipeError(
                    f"{place}: tuning {tuning} cannot go with {name}: PEFT drops where each packed row begins, so that "
                    f"rows would read each other; leave {name} out, or take tuning: lora"
                )
    if tuning == "prefix" and args.get("gradient_checkpointing"):
        raise RecipeError(
            f"{place}: tuning prefix cannot go with gradient_checkpointing: the prefix is in the cache that "
            "checkpointing switches off; leave it out, or take tuning: prompt"
        )
    if tuning == "bottleneck":
        width, placement = peft.get("width", 1), peft.get("placement", PLACEMENTS[0])
        if type(width) is not int or width < 1 or placement not in PLACEMENTS:
            raise RecipeError(
                f"{place}: peft: a bottleneck has a width of 1 or more and the placement {' or '.join(PLACEMENTS)}, "
                f"not {width!r} and {placement!r}"
            )
    if tuning == "adalora":
        first, last = ({**METHODS["adalora"].ours, **peft}[name] for name in ("init_r", "target_r"))
        if not first > last:
            raise RecipeError(
                f"{place}: tuning adalora begins with more ranks than it ends with; under peft write an init_r above "
                f"target_r (they are {first} and {last})"
            )


def refuse_adapter(tuning: Tuning, folder: str, place: str) -> None:
    """Raise a RecipeError where the adapter in `folder` cannot be trained further, or merged, by this tuning."""
    found = json.loads((Path(folder) / "adapter_config.json").read_text(encoding="utf-8")).get("peft_type", "LORA")
    kinds = {method.kind: name for name, method in reversed(list(METHODS.items()))}
    name = kinds.get(found, str(found))
    if tuning == "full":
        if name in UNMERGED:
            raise RecipeError(
                f"{place}: what tuning {name} learned in {folder} {UNMERGED[name]} and cannot be merged into its "
                "model; name another model"
            )
    elif METHODS[tuning].kind != found:
        whole = "" if name in UNMERGED else ", or full"
        raise RecipeError(f"{place}: {folder} holds an adapter of tuning {name}; write tuning: {name}{whole}")
    elif tuning in NOT_RESUMED:
        raise RecipeError(f"{place}: an adapter of tuning {tuning} cannot be trained further; name its base model")
