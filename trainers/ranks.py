"""AdaLoRA (2303.10512) over TRL: without this it trains every rank to the end, and its singular vectors drift."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneworks.trainers.tuning import adalora_schedule


class Ranks(TrainerCallback):
    """Takes ranks away as the schedule says, and keeps the singular vectors apart: PEFT adds that term to a loss which
    TRL does not read, so its gradient is added here. The loss that is logged stays the model's own."""

    def __init__(self, written: Mapping[str, Any]) -> None:
        self._written = written

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Only now are the steps known: packing makes fewer."""
        config = model.peft_config["default"]
        for name, value in {"total_step": state.max_steps, **adalora_schedule(state.max_steps)}.items():
            if name not in self._written:
                setattr(config, name, value)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        vectors = [
            (name, p)
            for name, p in model.named_parameters()
            if ("lora_A.default" in name or "lora_B.default" in name) and p.requires_grad
        ]
        drift = [drift_of(p if "lora_A" in name else p.T) for name, p in vectors]
        (model.peft_config["default"].orth_reg_weight * torch.stack(drift).mean()).backward()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        model.base_model.update_and_allocate(state.global_step + 1)


def drift_of(rows: torch.Tensor) -> torch.Tensor:
    """How far `rows`, of the shape (rank, width), are from being orthonormal."""
    apart = torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
    far: torch.Tensor = torch.linalg.matrix_norm(rows @ rows.T - apart)
    return far
