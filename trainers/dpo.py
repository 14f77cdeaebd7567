"""Direct preference optimization (2305.18290): the model learns to prefer the best answer to the worst."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tuneworks.factory.errors import InputError, RecipeError, TuneworksError
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning
from tuneworks.trainers.tuning import PROMPTS

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

START = 1e-3
"""How far the loss of a model that equals its reference may be from ln 2, and its rewards from 0."""

OTHER_LOSSES = (
    *("loss_type", "loss_weights", "label_smoothing", "use_weighting", "ld_alpha", "f_divergence_type"),
    *("f_alpha_divergence_coef", "discopop_tau", "precompute_ref_log_probs", "router_aux_loss_coef"),
)
"""Arguments of DPOConfig that say what the loss is, or how it comes by its parts."""

WITHOUT: Mapping[str, str] = {
    "probability": "compare its answers with rlaif, or leave soft_labels out",
    "margin": "score its answers with a reward, or leave margin out",
}


class Dpo(TrlTrainer):
    """Direct preference optimization (TRL's DPOTrainer) of the best answers against the worst.

    The reference is the model as it comes: the base with a new adapter switched off, a frozen copy of an
    adapter that is trained further, a second copy of the model when every weight is trained. The rows'
    `probability` and `margin`, which TRL does not read, count when `soft_labels` and `margin` say so.
    """

    kind: ClassVar[str] = "dpo"
    rows: ClassVar[str] = "preference"
    config: ClassVar[str] = "DPOConfig"
    answers: ClassVar[tuple[str, ...]] = ("chosen", "rejected")
    has_reference: ClassVar[bool] = True
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 2e-4, "full": 1e-6}
    cpu_batch: ClassVar[int] = 1

    soft_labels: bool = False
    """Take each row's `probability` that the chosen answer is the better one, instead of calling it certain."""
    margin: float = Field(default=0.0, ge=0)
    """The chosen answer must be ahead by this times the row's `margin` (ODPO); 0 leaves it out."""

    def columns(self) -> tuple[str, ...]:
        return (*super().columns(), *self._weighs())

    def _weighs(self) -> list[str]:
        return [name for name, counts in (("probability", self.soft_labels), ("margin", self.margin > 0)) if counts]

    def check(self) -> None:
        if self.tuning in PROMPTS:
            raise RecipeError(
                f"dpo: with tuning {self.tuning} the model would not begin as its reference, for a new prompt already "
                "changes what it answers; take tuning: lora or another"
            )
        super().check()
        for name in OTHER_LOSSES if self._weighs() else ():
            if name in self.args and not (name == "loss_type" and self.args[name] in ("sigmoid", ["sigmoid"])):
                raise RecipeError(
                    f"dpo: args: {name} has no form with soft labels or margins, which change the sigmoid loss; "
                    "leave it out, or soft_labels and margin"
                )

    def build(self, job: "Job") -> Any:
        from trl.trainer.dpo_config import DPOConfig
        from trl.trainer.dpo_trainer import DPOTrainer

        args = DPOConfig(**job.arguments)
        # Without ref_model TRL reads the reference from the path in the model's config, which may differ.
        shared = {
            "model": job.model(),
            "ref_model": job.model() if self.tuning == "full" else None,
            "train_dataset": job.train,
            "eval_dataset": job.test,
            "processing_class": job.tokenizer,
            "peft_config": job.peft_config(),
        }
        if not self._weighs():
            return DPOTrainer(args=args, **shared)
        from tuneworks.trainers.dpo_trainer import SoftDpoTrainer
        from tuneworks.trainers.groups import pad_of

        for name in self._weighs():
            if all(value is None for value in job.train[name]):
                raise InputError(f"no row in {job.plan.train.file} has a {name}; {WITHOUT[name]}")
        pad = pad_of(job.tokenizer)
        return SoftDpoTrainer(soft_labels=self.soft_labels, margin=self.margin, pad=pad, args=args, **shared)

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
        wanted = _loss_at_zero(trl, few) if self.margin else math.log(2)
        if abs(margin) > START or (sigmoid and abs(loss - wanted) > START):
            raise TuneworksError(
                f"the model and its reference differ before the first step (loss {loss:.4f}, which should be "
                f"{'' if self.margin else 'ln 2 = '}{wanted:.4f}, margin {margin:.4f}, which should be 0); "
                "leave init_lora_weights under peft at its default"
            )
        job.say(f"loss before the first step: {loss:.4f}")
        # While model and reference are the same every pair has this loss, the held-out ones too.
        known = {"held_out_loss_before": loss} if sigmoid and not self.margin and job.test is not None else {}
        return {"step_zero_loss": loss} | known


def _loss_at_zero(trl: Any, rows: Any) -> float:
    """The loss of pairs whose answers the model and its reference find equally likely."""
    import torch

    batch = trl.data_collator([rows[at] for at in range(len(rows))])
    return float(trl.loss_of(torch.zeros(len(rows)), batch))
