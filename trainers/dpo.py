"""Direct preference optimization (2305.18290): the model learns to prefer the best answer to the worst."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tuneworks.factory.errors import RecipeError, TuneworksError
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning
from tuneworks.trainers.tuning import PROMPTS

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

START = 1e-3
"""How far the loss of a model that equals its reference may be from ln 2, and its rewards from 0."""


class Dpo(TrlTrainer):
    """Direct preference optimization (TRL's DPOTrainer) of the best answers against the worst.

    The reference is the model as it comes: the base with a new adapter switched off, a frozen copy of an
    adapter that is trained further, a second copy of the model when every weight is trained. The rows'
    `margin` and `probability` are for people and filters; TRL's DPO does not read them.
    """

    kind: ClassVar[str] = "dpo"
    rows: ClassVar[str] = "preference"
    config: ClassVar[str] = "DPOConfig"
    answers: ClassVar[tuple[str, ...]] = ("chosen", "rejected")
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 2e-4, "full": 1e-6}
    cpu_batch: ClassVar[int] = 1

    def check(self) -> None:
        if self.tuning in PROMPTS:
            raise RecipeError(
                f"dpo: with tuning {self.tuning} the model would not begin as its reference, for a new prompt already "
                "changes what it answers; take tuning: lora or another"
            )
        super().check()

    def build(self, job: "Job") -> Any:
        from trl.trainer.dpo_config import DPOConfig
        from trl.trainer.dpo_trainer import DPOTrainer

        # Without ref_model TRL reads the reference from the path in the model's config, which may differ.
        return DPOTrainer(
            model=job.model(),
            ref_model=job.model() if self.tuning == "full" else None,
            args=DPOConfig(**job.arguments),
            train_dataset=job.train,
            eval_dataset=job.test,
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.masks import preference_masked

        return preference_masked(trl.train_dataset, trl.args.max_length)

    def before(self, job: "Job", trl: Any) -> dict[str, Any]:
        """The loss before the first step; raises if model and reference differ then, which no curve shows."""
        from tuneworks.trainers.job import evaluate

        rows = trl.train_dataset
        few = rows.select(range(min(len(rows), trl.args.per_device_train_batch_size)))
        found = evaluate(trl, few, "start")
        loss, margin = found["start_loss"], found["eval_rewards/margins"]
        scaled = trl.args.loss_weights is not None or trl.args.use_weighting
        sigmoid = list(trl.args.loss_type) == ["sigmoid"] and not scaled
        if abs(margin) > START or (sigmoid and abs(loss - math.log(2)) > START):
            raise TuneworksError(
                f"the model and its reference differ before the first step (loss {loss:.4f}, which should be "
                f"ln 2 = 0.6931, margin {margin:.4f}, which should be 0); "
                "leave init_lora_weights under peft at its default"
            )
        job.say(f"loss before the first step: {loss:.4f}")
        # While model and reference are the same every pair has this loss, the held-out ones too.
        known = {"held_out_loss_before": loss} if sigmoid and job.test is not None else {}
        return {"step_zero_loss": loss} | known
