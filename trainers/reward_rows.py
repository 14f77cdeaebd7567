"""What a reward model learns from its rows: groups of answers, and the scale on which their rewards are learned."""

from dataclasses import asdict, dataclass, field
from typing import Any

from datasets import Dataset

from tuneworks.trainers.groups import grouped, without_longer
from tuneworks.trainers.job import Job
from tuneworks.trainers.objective_groups import GIVEN, scored_groups, with_targets
from tuneworks.trainers.objectives import Objective, fitted
from tuneworks.trainers.reward import Reward, Scale


@dataclass(frozen=True, slots=True)
class RewardRows:
    train: Dataset
    test: Dataset | None
    scale: Scale = field(default_factory=Scale)
    objectives: tuple[Objective, ...] = ()

    def told(self) -> dict[str, Any]:
        """The scale, as config.json and metrics.json hold it."""
        return {one.name: one.told() for one in self.objectives} if self.objectives else asdict(self.scale)


def reward_rows(trainer: Reward, job: Job, max_length: int | None) -> RewardRows:
    if trainer.objectives:
        return _of_objectives(trainer, job, max_length)
    train = without_longer(grouped(job.train, job.tokenizer), max_length)
    test = without_longer(grouped(job.test, job.tokenizer), max_length) if job.test is not None else None
    return RewardRows(train, test, Scale.of(train) if trainer.loss == "mse" else Scale())


def _of_objectives(trainer: Reward, job: Job, max_length: int | None) -> RewardRows:
    """Scaled by the training rows; the rows that are held out have no say in it."""
    names = list(trainer.objectives)
    train = scored_groups(job, job.train, names, max_length)
    lacking = len(job.train) - len(train)
    if lacking:
        job.say(
            f"{lacking} of {len(job.train)} rankings lack a score for an objective, or are too long, and are left out"
        )
    answers = [answer for group in train for answer in group[GIVEN]]
    objectives = fitted(answers, trainer.objectives)
    test = scored_groups(job, job.test, names, max_length) if job.test is not None else None
    return RewardRows(
        with_targets(train, objectives), None if test is None else with_targets(test, objectives), objectives=objectives
    )
