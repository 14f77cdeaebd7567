"""Classifier: a reward model in this process, through transformers' sequence classification.

One output is the reward as it stands. Of two or more labels one is the good one, and its probability is the reward.
Everything is computed in float32, and each answer alone: bfloat16 rounds a reward of 8 to the next 0.06, which makes
ties of answers that are not, and padding would let an answer's score hang on its neighbours (a model that reads the
last token which is no padding even reads another one, where the pad is also the end of a turn).
"""

from collections.abc import Sequence
from typing import ClassVar

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.reward import Reward, Scores
from tuneworks.factory.rewards.folder import column, labels_of, read_config, require_head
from tuneworks.factory.rewards.scoring import alone, score_each


class Classifier(Reward):
    """A reward model or classifier (transformers) scores each answer."""

    kind: ClassVar[str] = "classifier"

    model: str
    """A folder or a Hub id of a sequence-classification model."""
    label: str | int | None = None
    """The label, by name or number, whose probability is the reward; only for a model with two or more labels."""

    def check(self) -> None:
        require_torch(f"the reward model {self.model}")
        config = read_config(self.model)
        if config is not None:
            require_head(self.model, config)
            column(labels_of(config), self.label, self.model)

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return await alone(self, record, answer, engine)

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        return await score_each(f"the reward model {self.model}", self._score_now, record, answers)

    def _score_now(self, record: Record, answer: Answer) -> float:
        """Computes; call it in the thread of rewards only."""
        require_torch(f"the reward model {self.model}")
        from tuneworks.factory.rewards.sequence_classification import loaded

        return loaded(self.model).score(record, answer, self.label)
