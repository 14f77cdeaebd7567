"""Supervised fine-tuning: the model learns to give the best answer of each record."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.trainers.plan import Plan, plain_text, unchanged
from tuneworks.trainers.spoken import Which
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.labelled import Labelling
    from tuneworks.trainers.masks import Counted, Masked

TEMPLATES = (".jinja", ".j2")


class Sft(TrlTrainer):
    """Supervised fine-tuning (TRL's SFTTrainer): what the assistant says is in the loss, and nothing else."""

    kind: ClassVar[str] = "sft"
    rows: ClassVar[str] = "sft"
    config: ClassVar[str] = "SFTConfig"
    answers: ClassVar[tuple[str, ...]] = ("completion",)
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 5e-4, "full": 2e-5}
    cpu_batch: ClassVar[int] = 2

    turns: Which = "all"
    """`all`, what the assistant says in every turn of a conversation; `last`, its last answer alone."""
    replay: float = Field(default=0.0, ge=0, lt=1)
    """With `follows`, the share of the tokens in the loss that is drawn from the rows of the trainings before."""
    pretraining: float = Field(default=0.0, ge=0, lt=1)
    """The share of the tokens in the loss that is plain text, of the dataset's `pretraining`."""

    @model_validator(mode="after")
    def _rows_are_left(self) -> Self:
        if self.replay + self.pretraining >= 1:
            raise ValueError("replay and pretraining leave no share for the rows; lower them to less than 1 in all")
        if self.replay and self.follows is None:
            raise ValueError("replay draws from the trainings before, and this one follows none; add follows: NAME")
        return self

    def check(self) -> None:
        super().check()
        args = self.args
        if args.get("assistant_only_loss"):
            raise RecipeError(
                f"{self.kind}: args: assistant_only_loss needs a chat template that marks what the assistant says, and "
                "turns: all learns the same with any; leave it out"
            )
        if args.get("packing") and args.get("packing_strategy") == "wrapped":
            raise RecipeError(
                f"{self.kind}: args: packing_strategy wrapped cuts rows anywhere and lets them read each other; leave "
                "it out, for bfd keeps them apart"
            )
        if args.get("packing") and args.get("max_length", 0) is None:
            raise RecipeError(f"{self.kind}: args: packing fills rows up to max_length, which is null; write a number")
        template = args.get("chat_template_path")
        if template is not None and not (str(template).endswith(TEMPLATES) and Path(str(template)).is_file()):
            raise RecipeError(f"{self.kind}: args: chat_template_path {template} is no .jinja file; name one")

    def plan(self, dataset: Path, seed: int, into: Path | None = None) -> Plan:
        plan = super().plan(dataset, seed, into)
        if self.replay and not plan.replayed:
            kinds = " and ".join(earlier.kind for earlier in plan.earlier)
            raise InputError(
                f"replay draws the rows of sft and quality trainings, and those before are of {kinds}; leave it out"
            )
        for earlier in plan.replayed if self.replay else ():
            unchanged(earlier)
        return replace(plan, texts=plain_text(dataset)) if self.pretraining else plan

    def build(self, job: "Job") -> Any:
        from trl.trainer.sft_config import SFTConfig

        from tuneworks.trainers.mixture import mixed
        from tuneworks.trainers.sft_trainer import MixtureTrainer

        args = SFTConfig(**job.arguments)
        mixture = mixed(job.train, job.test, job.plan, self.labelling(job, args), self.replay, self.pretraining)
        return MixtureTrainer(
            mixture=mixture,
            model=self.begun(job),
            args=args,
            processing_class=job.tokenizer,
            peft_config=self.adapter(job, len(mixture.train)),
        )

    def labelling(self, job: "Job", args: Any) -> "Labelling":
        """How rows become tokens and labels."""
        from tuneworks.trainers.sft_trainer import labelling

        return labelling(job, args, self.turns)

    def begun(self, job: "Job") -> Any:
        """The model as it is before the first step."""
        return job.model()

    def adapter(self, job: "Job", rows: int) -> Any:
        """PEFT's configuration for so many rows, or None."""
        return job.peft_config(rows)

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.masks import sft_masked

        return sft_masked(trl.train_dataset)

    def counted(self, job: "Job", trl: Any) -> "Counted":
        from tuneworks.trainers.masks import Counted, sft_masked

        found, args = trl.mixture, trl.args
        split = args.packing and args.packing_strategy == "bfd_split"
        answers = sft_masked(found.rows) if self.pretraining else None  # text ends as well, and answers no one
        return Counted(found.lengths, found.kept, found.in_loss, found.turned, answers, split)

    def text_held_out(self, trl: Any) -> list[list[int]]:
        return [list(window) for window in trl.mixture.held_out_text]
