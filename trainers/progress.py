"""What is said while TRL trains; and a loss that is no longer a number ends it."""

import math
import time
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.weights import Say


class Progress(TrainerCallback):
    def __init__(self, say: Say) -> None:
        self._say = say
        self._began = time.monotonic()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        step = state.global_step
        if not math.isfinite(float(loss)):
            raise TuneworksError(
                f"the loss at step {step} is {loss}, so the weights are lost; "
                f"lower learning_rate under args (it was {args.learning_rate:g})"
            )
        pace = (time.monotonic() - self._began) / max(step, 1)
        self._say(f"step {step} of {state.max_steps}: loss {float(loss):.4f}, {pace:.1f} s a step")
