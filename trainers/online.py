"""Training on answers that the model writes itself while it learns, as its reward scores them: GRPO and RLOO."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tuneworks.factory.errors import RecipeError
from tuneworks.trainers.sampling import Sampling
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

PROMPTS_A_STEP = 4
"""Prompts whose answers are learned from in a step: of one alone a step is mostly chance."""

NEW_TOKENS = 128
"""Most tokens of an answer, unless max_completion_length under args says otherwise."""


class Online(Sampling, TrlTrainer):
    """What those have in common that learn from each answer as soon as it is written and scored."""

    answers: ClassVar[tuple[str, ...]] = ()
    given: ClassVar[bool] = False
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 2e-5, "full": 1e-6}
    cpu_batch: ClassVar[int] = 4

    def check(self) -> None:
        if "num_generations" in self.args:
            raise RecipeError(f"{self.kind}: args: num_generations is the option n of {self.kind}; write it there")
        super().check()
        written = self.written_batch()
        if written % self.n:
            raise RecipeError(
                f"{self.kind}: args ask for {written} answers at a time, and the {self.n} answers to a prompt (n) must "
                f"stand together; set per_device_train_batch_size to {self.n} or a multiple of it"
            )

    def written_batch(self) -> int:
        """Answers that are written at a time: whole prompts of them."""
        args = self.own_arguments() | self.arguments()
        if args.get("generation_batch_size"):
            return int(args["generation_batch_size"])
        steps = args.get("steps_per_generation") or args["gradient_accumulation_steps"]
        return int(args["per_device_train_batch_size"]) * int(steps)

    def own_arguments(self) -> dict[str, Any]:
        return {
            "num_generations": self.n,
            "per_device_train_batch_size": self.n,
            "gradient_accumulation_steps": PROMPTS_A_STEP,
            "max_completion_length": NEW_TOKENS,
        }

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        """The prompts: what follows them is not written yet."""
        from tuneworks.trainers.masks import Masked
        from tuneworks.trainers.own_answers import tokens_of

        for row in job.train:
            tokens = tokens_of(job, row["prompt"])
            yield Masked(tokens, [False] * len(tokens))

    def before(self, job: "Job", trl: Any) -> dict[str, Any]:
        from tuneworks.trainers.own_answers import held_out_rewards

        found = held_out_rewards(job, trl.model, self.reward)
        return {"held_out_rewards_before": found} if found is not None else {}

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        from tuneworks.trainers.own_answers import held_out_rewards

        found = held_out_rewards(job, model, self.reward)
        return {"held_out_rewards_after": found} if found is not None else {}

    def told(self, job: "Job", metrics: dict[str, Any]) -> dict[str, Any]:
        from tuneworks.trainers.own_answers import compared

        return compared(job, metrics)


class Grpo(Online):
    """Group relative policy optimization (2402.03300) with TRL's GRPOTrainer: answers better than their prompt's others
    become likelier."""

    kind: ClassVar[str] = "grpo"
    config: ClassVar[str] = "GRPOConfig"

    def build(self, job: "Job") -> Any:
        from trl.trainer.grpo_config import GRPOConfig
        from trl.trainer.grpo_trainer import GRPOTrainer

        from tuneworks.trainers.own_answers import readable, scoring

        return GRPOTrainer(
            model=job.model(),
            reward_funcs=[scoring(self.reward)],
            args=GRPOConfig(**job.arguments),
            train_dataset=readable(job),
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )


class Rloo(Online):
    """REINFORCE leave-one-out (2402.14740) with TRL's RLOOTrainer: each answer is measured by the mean reward of its
    prompt's others."""

    kind: ClassVar[str] = "rloo"
    config: ClassVar[str] = "RLOOConfig"

    def build(self, job: "Job") -> Any:
        from trl.trainer.rloo_config import RLOOConfig
        from trl.trainer.rloo_trainer import RLOOTrainer

        from tuneworks.trainers.own_answers import readable, scoring

        return RLOOTrainer(
            model=job.model(),
            reward_funcs=[scoring(self.reward)],
            args=RLOOConfig(**job.arguments),
            train_dataset=readable(job),
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )
