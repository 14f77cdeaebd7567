"""Process: a language model judges an answer step by step, as in Let's Verify Step by Step (2305.20050).

The answers of one record are computed together, in float32.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import REWARD, Answer, Record
from tuneworks.factory.reward import Reward, Scores
from tuneworks.factory.rewards.folder import read_config, require_process
from tuneworks.factory.rewards.scoring import alone, first_line
from tuneworks.factory.rewards.turns import in_turn
from tuneworks.factory.steps import Apart, steps_of

if TYPE_CHECKING:
    from tuneworks.factory.rewards.step_model import StepModel
    from tuneworks.factory.step_tokens import Laid

By = Literal["min", "prod", "last"]

ONE: Mapping[By, Callable[[Sequence[float]], float]] = {"min": min, "prod": math.prod, "last": lambda found: found[-1]}


class Process(Reward):
    """A model that the trainer `process` left scores each answer by its steps."""

    kind: ClassVar[str] = "process"

    model: str
    """A folder that the trainer `process` left, or a Hub id of one."""
    by: By = "min"
    """The reward from the probabilities that each step is right: the lowest, their product, or the last step's."""
    steps: Apart = "paragraphs"
    """What ends a step: an empty line (`paragraphs`), or every line (`lines`)."""

    def check(self) -> None:
        require_torch(self._who)
        config = read_config(self.model)
        if config is not None:
            require_process(self.model, config)

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return await alone(self, record, answer, engine)

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        return await in_turn(lambda: self._score_now(record, answers))

    @property
    def _who(self) -> str:
        return f"the process reward model {self.model}"

    def _score_now(self, record: Record, answers: Sequence[Answer]) -> list[Scores]:
        """Computes; call it in the thread of rewards only."""
        require_torch(self._who)
        from tuneworks.factory.rewards.step_model import loaded

        model = loaded(self.model)
        laid = [self._laid(model, record, answer) for answer in answers]
        try:
            judged = iter(model.judge([one for one in laid if not isinstance(one, EngineError)]))
        except Exception as error:  # a model may do anything with a text
            return [EngineError(f"{self._who} failed on this prompt: {first_line(error)}")] * len(answers)
        return [one if isinstance(one, EngineError) else self._scored(next(judged)) for one in laid]

    def _laid(self, model: "StepModel", record: Record, answer: Answer) -> "Laid | EngineError":
        steps = steps_of(answer.text, self.steps)
        try:
            return model.encode(record, steps) if steps else EngineError("it has no steps to judge")
        except EngineError as error:
            return error

    def _scored(self, right: Sequence[float]) -> Scores:
        reward = ONE[self.by](right)
        return (
            {REWARD: reward} if math.isfinite(reward) else EngineError(f"{self._who} gave {reward}, which is no score")
        )
