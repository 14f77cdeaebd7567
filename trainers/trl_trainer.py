"""What the trainers over TRL share: one session of one of TRL's trainers, and the hooks that make each its own."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tuneworks.factory.weights import Say
from tuneworks.trainers.finetuning import FineTuning
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.plan import Plan
from tuneworks.trainers.tuning import Tuning as Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Counted, Masked
    from tuneworks.trainers.stopping import Stopping


class TrlTrainer(FineTuning):
    """Fine-tuning with one of TRL's trainers."""

    answers: ClassVar[tuple[str, ...]]
    """The columns that hold an answer each; `prompt` stands beside them."""
    writes: ClassVar[bool] = True
    """Whether the trained model writes answers, and so must learn where they end."""
    given: ClassVar[bool] = True
    """Whether the rows bring the answers that are learned from; else the model writes its own."""
    learning_rate: ClassVar[Mapping[Tuning, float]]

    def work(self, plan: Plan, into: Path, say: Say, stopping: "Stopping") -> None:
        """What the process does that `train` starts."""
        from tuneworks.trainers.session import train

        train(self, plan, into, say, stopping)

    def columns(self) -> tuple[str, ...]:
        return ("prompt", *self.answers)

    def answers_of(self, row: Mapping[str, Any]) -> list[Any]:
        """Each answer of a row, as turns."""
        return [row[name] for name in self.answers]

    @abstractmethod
    def build(self, job: "Job") -> Any:
        """TRL's trainer for this job, its data prepared."""

    @abstractmethod
    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        """What `trl` trains on: yields a sequence's tokens and, for each, whether it is in the loss."""

    def counted(self, job: "Job", trl: Any) -> "Counted":
        """What the rows held before they were cut, packed and mixed."""
        from tuneworks.trainers.masks import Counted, lengths_of

        return Counted(lengths_of(job.train, self.answers_of, job.tokenizer), len(trl.train_dataset))

    def text_held_out(self, trl: Any) -> list[list[int]]:
        """Windows of plain text by which it is watched as well."""
        return []

    def before(self, job: "Job", trl: Any) -> dict[str, Any]:
        """Metrics of the model as it comes, and the last chance to refuse."""
        return {}

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        """Metrics that only this trainer takes of the trained model."""
        return {}

    def told(self, job: "Job", metrics: dict[str, Any]) -> dict[str, Any]:
        """The metrics as they are kept, once all are there."""
        return metrics

    def to_save(self, model: Any, job: "Job") -> Any:
        """What of the trained model goes to disk."""
        return model

    def load(self, place: str, init: Mapping[str, Any]) -> Any:
        """The saved model, as whoever uses it loads it."""
        return load_model(place, init)
