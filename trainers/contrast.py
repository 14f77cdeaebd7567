"""Contrast of answers: the model learns to find the better ones likelier, with no reference and no reward model."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuneworks.factory.errors import RecipeError
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

Loss = Literal["rrhf", "slic"]

FOREIGN = ("packing", "padding_free", "completion_only_loss", "assistant_only_loss", "loss_type", "dataset_kwargs")
"""Arguments of SFTConfig about how its own rows and loss are made."""


class Contrast(TrlTrainer):
    """Ranks answers by how likely the model finds them, and trains on the best (over TRL's SFTTrainer).

    `rrhf` (2304.05302) compares log-probabilities per token, `slic` (2305.10425) those of whole answers with a margin.
    """

    kind: ClassVar[str] = "contrast"
    config: ClassVar[str] = "SFTConfig"
    answers: ClassVar[tuple[str, ...]] = ()  # they follow the dataset
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 2e-4, "full": 2e-6}
    cpu_batch: ClassVar[int] = 1

    loss: Loss = "rrhf"
    """`rrhf`, by log-probabilities per token; `slic`, by those of whole answers, the better ahead by `delta`."""
    dataset: Literal["ranked", "preference"] = "ranked"
    """Whole rankings of ranked, or the pairs of preference."""
    delta: float = Field(default=1.0, ge=0)
    """For slic: how far in log-probability the better answer must be ahead."""
    rank_weight: float = Field(default=1.0, gt=0)
    """Weight of the ranking loss."""
    lm_weight: float = Field(default=1.0, ge=0)
    """Weight of the log-likelihood of the best answer; without it a model may make the best unlikely as well."""

    @property
    def rows(self) -> str:
        return self.dataset

    def columns(self) -> tuple[str, ...]:
        more = ("completions", "rewards") if self.dataset == "ranked" else ("chosen", "rejected")
        return ("prompt", *more)

    def answers_of(self, row: Mapping[str, Any]) -> list[Any]:
        from tuneworks.trainers.groups import answers_of

        return answers_of(row)

    def check(self) -> None:
        super().check()
        for name in FOREIGN:
            if name in self.args:
                raise RecipeError(f"contrast: args: {name} has no meaning for whole rankings; leave it out")

    def build(self, job: "Job") -> Any:
        from trl.trainer.sft_config import SFTConfig

        from tuneworks.trainers.contrast_trainer import ContrastTrainer
        from tuneworks.trainers.groups import GroupCollator, grouped, pad_of, with_answers

        args = SFTConfig(**job.arguments)
        train = with_answers(grouped(job.train, job.tokenizer), args.max_length)
        test = with_answers(grouped(job.test, job.tokenizer), args.max_length) if job.test is not None else None
        return ContrastTrainer(
            loss=self.loss,
            delta=self.delta,
            rank_weight=self.rank_weight,
            lm_weight=self.lm_weight,
            model=job.model(),
            args=args,
            data_collator=GroupCollator(pad_of(job.tokenizer), args.max_length),
            train_dataset=train,
            eval_dataset=test,
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.groups import answers_masked

        return answers_masked(trl.train_dataset, trl.args.max_length)
