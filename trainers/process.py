"""Process rewards (2305.20050): the model learns to say of each step of an answer whether it is right."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.step_tokens import PROCESS, SIGNS
from tuneworks.trainers.reward import MERGED
from tuneworks.trainers.sft import Sft

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

Neutral = Literal["good", "left_out"]


class Process(Sft):
    """A process reward model (over TRL's SFTTrainer): after each step it says whether that step is right.

    Only these verdicts are in the loss. It is saved whole, an adapter merged into it, for the reward `process`. On
    held-out rows it measures how many steps and how many first errors it finds.
    """

    kind: ClassVar[str] = "process"
    rows: ClassVar[str] = "steps"
    answers: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[bool] = False

    neutral: Neutral = "good"
    """What a neutral step (PRM800K's 0) counts as: `good`, or nothing (`left_out`)."""

    def check(self) -> None:
        if self.tuning not in MERGED:
            raise RecipeError(
                f"process: tuning {self.tuning} cannot be merged into the model that judges; take {', '.join(MERGED)}"
            )
        super().check()

    def columns(self) -> tuple[str, ...]:
        return ("prompt", "completions", "labels")

    def lengths(self, job: "Job") -> list[int]:
        from tuneworks.trainers.steps import step_tokens

        return [len(row["input_ids"]) for row in step_tokens(job, job.train, self.neutral)]

    def build(self, job: "Job") -> Any:
        from tuneworks.trainers.steps import step_tokens

        train, test = step_tokens(job, job.train, self.neutral), job.test
        return super().build(
            replace(job, train=train, test=None if test is None else step_tokens(job, test, self.neutral))
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.steps import steps_masked

        return steps_masked(trl.train_dataset)

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        from tuneworks.trainers.steps import held_out_steps

        return {"held_out_steps": held_out_steps(job, model, self.neutral)}

    def to_save(self, model: Any) -> Any:
        whole = model if self.tuning == "full" else model.merge_and_unload()
        setattr(whole.config, PROCESS, SIGNS)
        return whole
