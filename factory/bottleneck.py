"""Bottleneck adapters as a method of PEFT: importing this makes `peft` and `transformers` load their folders.

Behind the output projections of a frozen decoder stands x + up(gelu(down(x))), of a small width; `up` begins at zero,
so a new adapter changes nothing. Houlsby et al. (1902.00751) put one behind attention and one behind the MLP of every
layer, Pfeiffer et al. (2005.00247) the second alone. It bends what passes through it, so no weights it could be merged
into would give the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft import PeftConfig, mapping
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn

from tuneworks.factory.errors import InputError

ATTENTION = ("attn", "attention")
"""What the names of attention blocks have in them."""

OUTPUTS = ("o_proj", "out_proj", "c_proj", "dense", "wo", "down_proj", "dense_4h_to_h", "fc2", "w2")
"""What output projections are called: those of LLaMA, Qwen, Mistral, Gemma, GPT-2, GPT-NeoX, OPT, Phi and their kin."""

CANNOT_MERGE = "a bottleneck bends what passes through it, which the weights of its model cannot do"


class Kind(str):
    """The name of a method that PEFT's enumeration does not list, used as its members are."""

    @property
    def value(self) -> str:
        return str(self)


BOTTLENECK = Kind("BOTTLENECK")


@dataclass
class BottleneckConfig(PeftConfig):
    width: int = 64
    """Units of the bottleneck."""
    placement: Literal["houlsby", "pfeiffer"] = "houlsby"
    """`houlsby`: behind attention and behind the MLP of each layer; `pfeiffer`: behind the MLP alone."""
    target_modules: list[str] | None = None
    """The output projections, found in the model; a saved adapter names them."""

    def __post_init__(self) -> None:
        untyped: Any = super()
        untyped.__post_init__()
        self.peft_type: Any = BOTTLENECK


class Bottleneck(nn.Module, BaseTunerLayer):
    """An output projection with what stands behind it, by the adapter's name."""

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")

    def __init__(self, projection: nn.Module, width: int, adapter: str, inner: int) -> None:
        """`width` is that of what the projection gives, `inner` that of the bottleneck."""
        super().__init__()
        self.base_layer = projection
        self.bottleneck_down, self.bottleneck_up = nn.ModuleDict(), nn.ModuleDict()
        self._disable_adapters, self.merged_adapters = False, list[str]()
        self.width = width
        self.add(adapter, inner)

    def add(self, adapter: str, inner: int) -> None:
        device = self.base_layer.weight.device
        down = nn.Linear(self.width, inner, device=device, dtype=torch.float32)
        up = nn.Linear(inner, self.width, device=device, dtype=torch.float32)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        self.bottleneck_down[adapter], self.bottleneck_up[adapter] = down, up

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        given: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return given
        for name in (name for name in self.active_adapters if name in self.bottleneck_up):
            down: Any = self.bottleneck_down[name]
            bent: torch.Tensor = self.bottleneck_up[name](nn.functional.gelu(down(given.to(down.weight.dtype))))
            given = given + bent.to(given.dtype)
        return given

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        raise InputError(CANNOT_MERGE)


class BottleneckModel(BaseTuner):
    prefix = "bottleneck_"
    tuner_layer_cls = Bottleneck

    def inject_adapter(self, model: nn.Module, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        config: Any = self.peft_config[adapter_name]
        if config.target_modules is None:
            config.target_modules = output_projections(model, config.placement)
        super().inject_adapter(model, adapter_name, *args, **kwargs)

    def _prepare_adapter_config(self, peft_config: PeftConfig, model_config: Any) -> PeftConfig:
        return peft_config

    def _create_and_replace(
        self,
        peft_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        if isinstance(target, Bottleneck):
            target.add(adapter_name, peft_config.width)
        else:
            made = Bottleneck(target, written(target) or 0, adapter_name, peft_config.width)
            setattr(parent, target_name, made.train(target.training))
        if adapter_name not in self.active_adapters:
            for part in ("bottleneck_down", "bottleneck_up"):
                getattr(getattr(parent, target_name), part)[adapter_name].requires_grad_(False)

    def _check_merge_allowed(self) -> None:
        raise InputError(CANNOT_MERGE)


def output_projections(model: Any, placement: str) -> list[str]:
    """The full names of the projections a bottleneck stands behind; raises InputError where a layer of the decoder has
    not one for attention and one for the MLP, as those with several experts or without attention."""
    hidden = model.config.get_text_config().hidden_size
    found = []
    for layer, block in decoder_layers(model):
        names = list(_outputs(block, hidden))
        attention = [name for name in names if any(sign in name.rpartition(".")[0] for sign in ATTENTION)]
        rest = [name for name in names if name not in attention]
        if len(attention) != 1 or len(rest) != 1:
            raise InputError(
                f"bottleneck adapters stand behind one output projection of attention and one of the MLP, and {layer} "
                f"of a {type(model).__name__} has {', '.join(names) or 'none'}; take tuning: lora"
            )
        found += [f"{layer}.{name}" for name in (attention + rest if placement == "houlsby" else rest)]
    if not found:
        raise InputError(f"a {type(model).__name__} has no list of decoder layers; take tuning: lora")
    return found


def decoder_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The blocks of the longest list of them, with their names."""
    lists = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.ModuleList)]
    name, layers = max(lists, key=lambda one: len(one[1]), default=("", nn.ModuleList()))
    return [(f"{name}.{at}", layer) for at, layer in enumerate(layers)]


def _outputs(block: nn.Module, hidden: int) -> Iterator[str]:
    for name, part in block.named_modules():
        if name.rpartition(".")[2] in OUTPUTS and not isinstance(part, Bottleneck) and written(part) == hidden:
            yield name.removesuffix(".base_layer")


def written(projection: nn.Module) -> int | None:
    """The width of what it gives; GPT-2's Conv1D calls it nf."""
    width = getattr(projection, "out_features", None) or getattr(projection, "nf", None)
    return width if isinstance(width, int) else None


untyped: Any = mapping  # its keys are members of the enumeration
untyped.PEFT_TYPE_TO_CONFIG_MAPPING[BOTTLENECK] = BottleneckConfig
untyped.PEFT_TYPE_TO_TUNER_MAPPING[BOTTLENECK] = BottleneckModel
untyped.PEFT_TYPE_TO_PREFIX_MAPPING[BOTTLENECK] = BottleneckModel.prefix
