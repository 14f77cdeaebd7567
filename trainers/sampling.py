"""What trainings have in common whose model writes the answers that it learns from."""

from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.reward import Reward
from tuneworks.trainers.computed_rewards import refuse_judges
from tuneworks.trainers.finetuning import FineTuning
from tuneworks.trainers.tuning import PROMPTS


class Sampling(FineTuning):
    rows: ClassVar[str] = "prompts"

    reward: Reward
    """What scores an answer: classifier, function, combined ..., as a recipe writes a reward; no judge."""
    n: int = Field(default=4, ge=2)
    """Answers written to a prompt, which are compared with each other."""

    @field_validator("reward", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> Reward:
        return Reward.nested(value, info)

    def check(self) -> None:
        if self.tuning in PROMPTS:
            raise RecipeError(
                f"{self.kind}: the model cannot write answers with what tuning {self.tuning} puts before the prompt; "
                "take tuning: lora"
            )
        super().check()
        refuse_judges(self.reward, self.kind)
