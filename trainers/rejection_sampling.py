"""Rejection-sampling fine-tuning (Llama 2, arXiv:2307.09288, section 3.2.3; RAFT, arXiv:2304.06767)."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.weights import Say
from tuneworks.trainers.checkpoints import clear
from tuneworks.trainers.launch import FAILURE
from tuneworks.trainers.plan import Plan, is_begun
from tuneworks.trainers.sampling import Sampling
from tuneworks.trainers.sft import Sft

if TYPE_CHECKING:
    from tuneworks.trainers.stopping import Stopping


class RejectionSampling(Sampling):
    """In rounds: the model writes n answers to each prompt, a reward scores them, and it is fine-tuned on the best of
    all rounds so far.

    Each round begins again from the first model: what it is trained on holds the best of the rounds before.
    """

    kind: ClassVar[str] = "rejection_sampling"
    config: ClassVar[str] = "SFTConfig"
    cpu_batch: ClassVar[int] = Sft.cpu_batch

    rounds: int = Field(default=3, ge=1)
    """How often answers are written, by what the round before left."""
    keep: int = Field(default=1, ge=1)
    """Best answers to a prompt that are trained on, of all rounds; of equals the earliest."""
    temperature: float = Field(default=1.0, gt=0)
    """How far apart the answers to a prompt are."""
    max_tokens: int = Field(default=256, ge=1)
    """Most tokens of an answer; one that is cut off there is not trained on."""

    @model_validator(mode="after")
    def _keeps_a_part(self) -> "RejectionSampling":
        if self.keep >= self.n * self.rounds:
            raise ValueError(
                f"keep: {self.keep} of {self.n} x {self.rounds} answers would keep them all; lower keep, or raise n"
            )
        return self

    def check(self) -> None:
        if self.accelerate is not None:
            raise RecipeError("rejection_sampling: answers are written by one process; leave accelerate out")
        super().check()
        self.fine_tuning(self.model).check()

    def planned(self, dataset: Path, into: Path, seed: int = 0) -> list[str]:
        rounds = f"in each of {self.rounds} rounds {self.n} answers to a prompt are written before"
        return [*super().planned(dataset, into, seed), rounds]

    def fine_tuning(self, model: str) -> Sft:
        """What each round does with the answers that are kept."""
        return Sft(model=model, tuning=self.tuning, bits=self.bits, args=self.args, peft=self.peft)

    def make_room(self, into: Path, plan: Plan) -> None:
        """Rounds that are done, and what was written in the one under way, stay."""
        if is_begun(into, plan):
            (into / FAILURE).unlink(missing_ok=True)
        else:
            clear(into, plan)

    def work(self, plan: Plan, into: Path, say: Say, stopping: "Stopping") -> None:
        from tuneworks.trainers.rounds import train

        train(self, plan, into, say, stopping)
