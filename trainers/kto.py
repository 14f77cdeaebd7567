"""Kahneman-Tversky optimization (2402.01306): the model learns from single answers called good or bad."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tuneworks.factory.errors import RecipeError, TuneworksError
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning
from tuneworks.trainers.tuning import PROMPTS

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

START = 1e-3
"""How far the loss of a model that equals its reference may be from half the mean weight of its rows."""


class Kto(TrlTrainer):
    """Kahneman-Tversky optimization (TRL's KTOTrainer) on answers that are labelled good or bad one by one.

    The reference is the model as it comes, as for dpo. Rows are taken in their order, which the dataset has made such
    that neighbours answer other prompts: TRL estimates its KL term from them.
    """

    kind: ClassVar[str] = "kto"
    rows: ClassVar[str] = "unpaired"
    config: ClassVar[str] = "KTOConfig"
    answers: ClassVar[tuple[str, ...]] = ("completion",)
    has_reference: ClassVar[bool] = True
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 2e-4, "full": 1e-6}
    cpu_batch: ClassVar[int] = 2

    def columns(self) -> tuple[str, ...]:
        return (*super().columns(), "label")

    def check(self) -> None:
        if self.tuning in PROMPTS:
            raise RecipeError(
                f"kto: with tuning {self.tuning} the model would not begin as its reference, for a new prompt already "
                "changes what it answers; take tuning: lora or another"
            )
        super().check()
        size = self.arguments().get("per_device_train_batch_size", self.cpu_batch)
        if size < 2 and self.args.get("loss_type", "kto") == "kto":
            raise RecipeError(
                "kto: args: per_device_train_batch_size is 1, and the KL term is estimated from the other rows of a "
                "batch; set it to 2 or more"
            )

    def build(self, job: "Job") -> Any:
        from trl.trainer.kto_config import KTOConfig
        from trl.trainer.kto_trainer import KTOTrainer

        return KTOTrainer(
            model=job.model(),
            # Left to itself TRL reads the reference from the path in the model's config, which may differ.
            ref_model=job.model() if self.tuning == "full" else None,
            args=KTOConfig(**job.arguments),
            train_dataset=job.train,
            eval_dataset=job.test,
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.masks import unpaired_masked

        return unpaired_masked(trl.train_dataset, trl.args.max_length)

    def before(self, job: "Job", trl: Any) -> dict[str, Any]:
        """The loss before the first step; raises if model and reference differ then, which no curve shows."""
        from tuneworks.trainers.job import evaluate

        rows = trl.train_dataset
        few = rows.select(range(min(len(rows), trl.args.per_device_train_batch_size)))
        loss = evaluate(trl, few, "start")["start_loss"]
        weights = [trl.args.desirable_weight if label else trl.args.undesirable_weight for label in few["label"]]
        wanted = sum(weights) / len(weights) / 2
        if abs(loss - wanted) > START:
            raise TuneworksError(
                f"the model and its reference differ before the first step (loss {loss:.4f}, which should be "
                f"{wanted:.4f}); leave init_lora_weights under peft at its default"
            )
        job.say(f"loss before the first step: {loss:.4f}")
        return {"step_zero_loss": loss}
