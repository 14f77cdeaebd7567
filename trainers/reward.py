"""Reward models: the model learns to score answers, from pairs, rankings or rewards."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuneworks.factory.errors import RecipeError
from tuneworks.trainers.bits import whole
from tuneworks.trainers.objectives import require_scores
from tuneworks.trainers.plan import Plan
from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning
from tuneworks.trainers.tuning import tuning_config

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

MERGED = ("lora", "rslora", "dora", "full")
"""Ways to tune that end in a whole model."""

Loss = Literal["pairwise", "all_pairs", "plackett_luce", "mse"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Of the rewards: a score of `mse` is how many deviations above the mean an answer is."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, groups: Iterable[Mapping[str, Any]]) -> "Scale":
        rewards = [reward for group in groups for reward in group["rewards"]]
        return cls(fmean(rewards), pstdev(rewards) or 1.0) if rewards else cls()


class Reward(TrlTrainer):
    """A reward model: the language model with one output, which scores an answer where it ends (over TRL's
    RewardTrainer).

    It is saved whole, an adapter merged into it, so that `classifier` and every server can read it.
    """

    kind: ClassVar[str] = "reward"
    config: ClassVar[str] = "RewardConfig"
    task: ClassVar[str] = "SEQ_CLS"
    writes: ClassVar[bool] = False
    continues: ClassVar[bool] = False
    answers: ClassVar[tuple[str, ...]] = ()  # they follow the loss
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 1e-3, "full": 1e-5}
    cpu_batch: ClassVar[int] = 1

    loss: Loss = "pairwise"
    """`pairwise` learns the pairs of `preference`; `all_pairs`, `plackett_luce` and `mse` the whole rankings of
    `ranked`: every pair, the order, or each reward as it is (standardised)."""
    margin: float = Field(default=1.0, ge=0)
    """For pairwise: the scores of a pair must differ by this times the row's margin (Llama 2); 0 leaves it out."""
    lm_weight: float = Field(default=0.0, ge=0)
    """Weight of the language-model loss on the best answer, which keeps the model near what it was."""
    objectives: dict[str, float] = Field(default_factory=dict)
    """For mse: names of scores that the answers carry, and the weight of each in the one score of the model that is
    saved, such as {judge: 1.0, classifier: 0.5}; each is learned by an output of its own, standardised."""

    @property
    def rows(self) -> str:
        return "preference" if self.loss == "pairwise" else "ranked"

    def check(self) -> None:
        if self.tuning not in MERGED:
            raise RecipeError(
                f"reward: tuning {self.tuning} cannot be merged into the model that scores; take {', '.join(MERGED)}"
            )
        if self.objectives and self.loss != "mse":
            raise RecipeError(f"reward: objectives are learned by loss: mse, and this is {self.loss}; write loss: mse")
        if self.objectives and not (all(map(isfinite, self.objectives.values())) and any(self.objectives.values())):
            raise RecipeError("reward: the weights of objectives are finite numbers, and one of them is not 0")
        super().check()

    def plan(self, dataset: Path, seed: int, into: Path | None = None) -> Plan:
        plan = super().plan(dataset, seed, into)
        if self.objectives:
            require_scores(Path(plan.train.file), self.objectives)
        return plan

    def columns(self) -> tuple[str, ...]:
        if self.loss == "pairwise":
            return ("prompt", "chosen", "rejected")
        return ("prompt", "completions", "rewards", *(("scores",) if self.objectives else ()))

    def answers_of(self, row: Mapping[str, Any]) -> list[Any]:
        from tuneworks.trainers.groups import answers_of

        return answers_of(row)

    def build(self, job: "Job") -> Any:
        from trl.trainer.reward_config import RewardConfig

        from tuneworks.trainers.groups import GroupCollator, pad_of
        from tuneworks.trainers.reward_model import language_head, reward_model
        from tuneworks.trainers.reward_rows import reward_rows
        from tuneworks.trainers.reward_trainer import GroupRewardTrainer

        made = reward_model(job.place, job.init, self.model, max(len(self.objectives), 1))
        args = RewardConfig(**job.arguments)
        learned = reward_rows(self, job, args.max_length)
        if self.loss == "mse":  # whoever has the model can tell what rewards its scores mean
            made.model.config.reward_scale = learned.told()
        return GroupRewardTrainer(
            loss=self.loss,
            margin=self.margin,
            lm_weight=self.lm_weight,
            head=language_head(made, self.model) if self.lm_weight else None,
            scale=learned.scale,
            objectives=learned.objectives,
            model=made.model,
            args=args,
            data_collator=GroupCollator(pad_of(job.tokenizer)),
            train_dataset=learned.train,
            eval_dataset=learned.test,
            processing_class=job.tokenizer,
            peft_config=None if self.tuning == "full" else tuning_config(self.tuning, self.peft_options()),
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.groups import pad_of, scores_masked

        return scores_masked(trl.train_dataset, pad_of(job.tokenizer), best_learned=self.lm_weight > 0)

    def before(self, job: "Job", trl: Any) -> dict[str, Any]:
        """The loss before the first step: a new output scores every answer 0, which has a known loss."""
        from tuneworks.trainers.job import evaluate

        rows = trl.train_dataset
        few = rows.select(range(min(len(rows), trl.args.per_device_train_batch_size)))
        found = evaluate(trl, few, "start")
        loss = found["start_loss"]
        job.say(f"loss before the first step: {loss:.4f}")
        scale = {"reward_scale": trl.model.config.reward_scale} if self.loss == "mse" else {}
        return {"step_zero_loss": loss, "step_zero_rank_loss": found["eval_rank_loss"]} | scale

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        if not self.objectives:
            return {}
        from tuneworks.trainers.objective_groups import measured_and_folded
        from tuneworks.trainers.objectives import Objective

        told = model.config.reward_scale
        return measured_and_folded(job, model, [Objective(name, **told[name]) for name in self.objectives])

    def to_save(self, model: Any, job: "Job") -> Any:
        from tuneworks.trainers.reward_model import merged_into_whole

        if self.tuning == "full":
            return model
        return (
            model.merge_and_unload() if self.bits is None else merged_into_whole(model, job.place, job.init, self.model)
        )

    def load(self, place: str, init: Mapping[str, Any]) -> Any:
        from tuneworks.trainers.reward_model import load_reward_model

        return load_reward_model(place, whole(init))
