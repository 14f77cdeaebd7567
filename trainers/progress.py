"""What is said while TRL trains; and a loss that is no longer a number ends it."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.weights import Say
from tuneworks.trainers import peers
from tuneworks.trainers.checkpoints import HISTORY, last_whole, step_of


class Progress(TrainerCallback):
    def __init__(self, say: Say, into: Path) -> None:
        self._say, self._into = say, into
        self._began = time.monotonic()
        self._first = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.monotonic()
        self._first = state.global_step
        if peers.is_first():
            _cut(self._into / HISTORY, self._first)
        if self._first:
            self._say(f"going on at step {self._first} of {state.max_steps}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if logs and peers.is_first():
            with (self._into / HISTORY).open("a", encoding="utf-8") as history:
                history.write(json.dumps({"step": state.global_step, **logs}, default=str) + "\n")
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        step = state.global_step
        if not math.isfinite(float(loss)):
            raise TuneworksError(lost(f"loss at step {step} is {loss}, so the weights are lost", args, self._into))
        pace = (time.monotonic() - self._began) / max(step - self._first, 1)
        reward = f", reward {float(logs['reward']):.3f}" if logs and "reward" in logs else ""
        self._say(f"step {step} of {state.max_steps}: loss {float(loss):.4f}{reward}, {pace:.1f} s a step")


def _cut(history: Path, step: int) -> None:
    """Steps behind the one that is gone on from are done again, and logged again. A last line may be torn."""
    if not history.is_file():
        return
    lines = history.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step] if step else []
    history.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def lost(what: str, args: TrainingArguments, into: Path) -> str:
    """The sentence that ends a training whose weights are no numbers any more."""
    good = last_whole(into)
    kept = f"; those of step {step_of(good)} are kept in {good}" if good else ""
    return f"the {what}{kept}; lower learning_rate under args (it was {args.learning_rate:g})"
