"""Process rewards (2305.20050): the model learns to say of each step of an answer whether it is right."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.step_tokens import PROCESS, SIGNS
from tuneworks.trainers.reward import MERGED
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Counted, Masked

Neutral = Literal["good", "left_out"]


class Process(TrlTrainer):
    """A process reward model (over TRL's SFTTrainer): after each step it says whether that step is right.

    Only these verdicts are in the loss. It is saved whole, an adapter merged into it, for the reward `process`. On
    held-out rows it measures how many steps and how many first errors it finds.
    """

    kind: ClassVar[str] = "process"
    rows: ClassVar[str] = "steps"
    config: ClassVar[str] = "SFTConfig"
    answers: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[bool] = False
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 5e-4, "full": 2e-5}
    cpu_batch: ClassVar[int] = 2

    neutral: Neutral = "good"
    """What a neutral step (PRM800K's 0) counts as: `good`, or nothing (`left_out`)."""

    def check(self) -> None:
        if self.tuning not in MERGED:
            raise RecipeError(
                f"process: tuning {self.tuning} cannot be merged into the model that judges; take {', '.join(MERGED)}"
            )
        if self.bits is not None:
            raise RecipeError("process: its adapter is merged, which weights of 4 or 8 bit do not take; leave bits out")
        super().check()

    def columns(self) -> tuple[str, ...]:
        return ("prompt", "completions", "labels")

    def build(self, job: "Job") -> Any:
        from trl.trainer.sft_config import SFTConfig
        from trl.trainer.sft_trainer import SFTTrainer

        from tuneworks.trainers.steps import step_tokens

        return SFTTrainer(
            model=job.model(),
            args=SFTConfig(**job.arguments),
            train_dataset=step_tokens(job, job.train, self.neutral),
            eval_dataset=None if job.test is None else step_tokens(job, job.test, self.neutral),
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.steps import steps_masked

        return steps_masked(trl.train_dataset)

    def counted(self, job: "Job", trl: Any) -> "Counted":
        from tuneworks.trainers.masks import Counted
        from tuneworks.trainers.steps import step_tokens

        rows = step_tokens(job, job.train, self.neutral)["input_ids"]
        return Counted([len(row) for row in rows], len(rows) if trl.args.packing else len(trl.train_dataset))

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        from tuneworks.trainers.steps import held_out_steps

        return {"held_out_steps": held_out_steps(job, model, self.neutral)}

    def to_save(self, model: Any, job: "Job") -> Any:
        whole = model if self.tuning == "full" else model.merge_and_unload()
        setattr(whole.config, PROCESS, SIGNS)
        return whole
