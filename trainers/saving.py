"""Writes checkpoints while TRL trains: now and then, when asked to stop, and never of weights that are lost."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import IntervalStrategy, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers import peers
from tuneworks.trainers.checkpoints import PREFIX, due, mark_whole, seconds_until
from tuneworks.trainers.progress import lost
from tuneworks.trainers.stopping import Stopping

Clock = Callable[[], float]


class Saving(TrainerCallback):
    """`timed` where the recipe does not say itself when to save; `resumed` is the checkpoint that is gone on from."""

    def __init__(
        self,
        into: Path,
        stopping: Stopping,
        timed: bool,
        resumable: bool = True,
        resumed: Path | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._into, self._stopping, self._timed, self._clock = into, stopping, timed and resumable, clock
        self._resumable = resumable
        self._before = seconds_until(resumed) if resumed else 0.0
        self._began = self._saved = self._asked = clock()
        self._cost = 0.0

    @property
    def seconds(self) -> float:
        """How long the training has taken so far, in all its parts."""
        return self._before + self._clock() - self._began

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = self._saved = self._clock()
        self._stopping.training = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._stopping.training = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        self._asked = self._clock()
        waited = self._asked - self._saved
        late = self._timed and peers.is_first() and due(waited, self._cost)
        self._stopping.asked, late = peers.any_of(self._stopping.asked, late)
        if state.global_step < state.max_steps:
            # Where a loss is logged, so that it is a mean over the same steps whether the training is killed or not.
            logged = control.should_log or args.logging_strategy != IntervalStrategy.STEPS
            if logged and late:
                control.should_save = True
            if self._stopping.asked:
                control.should_log = control.should_training_stop = True
                control.should_save = self._resumable
        if control.should_save:
            self._refuse_lost(args, state, model)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        if control.should_save:
            self._asked = self._clock()
            self._refuse_lost(args, state, model)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # One step more is trained from a checkpoint of the last step, so that one is not marked.
        ended = state.global_step >= state.max_steps
        peers.wait()  # until all have written their part
        if state.is_world_process_zero and self._resumable and not args.save_only_model and not ended:
            checkpoint = self._into / f"{PREFIX}{state.global_step}"
            _leave_out_reference(checkpoint)
            mark_whole(checkpoint, self.seconds)
        self._saved = self._clock()
        self._cost = self._saved - self._asked

    def _refuse_lost(self, args: TrainingArguments, state: TrainerState, model: Any) -> None:
        """A loss is looked at when it is logged, which may be after the next checkpoint."""
        if not all(bool(torch.isfinite(p).all()) for p in model.parameters() if p.requires_grad):
            raise TuneworksError(lost(f"weights at step {state.global_step} are no numbers", args, self._into))


def _leave_out_reference(checkpoint: Path) -> None:
    """DPO of an adapter keeps a copy of it beside as its reference, which is made anew; where transformers finds one in
    a checkpoint, it reads that and forgets the adapter that is trained."""
    for config in checkpoint.glob("*/adapter_config.json"):
        shutil.rmtree(config.parent)
