"""Quality-conditioned fine-tuning: the model learns good and bad answers, and when to give which."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import model_validator

from tuneworks.trainers.sft import Sft
from tuneworks.trainers.spoken import Which
from tuneworks.trainers.trl_trainer import Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job


class Quality(Sft):
    """Supervised fine-tuning on good and bad answers, the quality asked for in the system turn.

    On held-out rows it measures whether the control steers: the loss of good and bad answers under both
    controls, and how many greedy answers change with it.
    """

    kind: ClassVar[str] = "quality"
    rows: ClassVar[str] = "quality"
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 1e-3, "full": 5e-5}

    turns: Which = "last"
    """`last`: the quality that is asked for is that of the last answer."""

    @model_validator(mode="after")
    def _last_turn(self) -> Self:
        if self.turns != "last":
            raise ValueError("quality is asked for of the last answer alone; leave turns out, or train sft")
        return self

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        from tuneworks.trainers.steering import pairs_of, steering

        pairs = pairs_of(job.test) if job.test is not None else []
        if not pairs:
            job.say("no held-out record has a good and a bad answer: whether the control steers is not measured")
            return {"steering": None}
        return {"steering": steering(pairs, model, job)}
