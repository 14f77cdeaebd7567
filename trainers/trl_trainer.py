"""What the trainers over TRL share: their options, their checks, and starting a worker."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuneworks.factory.errors import MissingExtra, RecipeError
from tuneworks.factory.weights import SMOLLM2, Say, locate
from tuneworks.trainers.arguments import check_names, with_numbers
from tuneworks.trainers.checkpoints import clear
from tuneworks.trainers.launch import launch
from tuneworks.trainers.lora import is_adapter
from tuneworks.trainers.plan import Plan, is_trained, splits, weights_of
from tuneworks.trainers.trainer import Trainer, silent

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked

Tuning = Literal["lora", "full"]


class TrlTrainer(Trainer):
    """Fine-tuning with TRL in a process of its own."""

    config: ClassVar[str]
    """TRL's configuration class, which `args` are for."""
    answers: ClassVar[tuple[str, ...]]
    """The columns that hold answers; `prompt` stands beside them."""
    learning_rate: ClassVar[Mapping[Tuning, float]]
    cpu_batch: ClassVar[int]
    """Rows a step without a GPU: few, so that a step of a small model takes seconds."""

    model: str = SMOLLM2
    """`smollm2` (packaged), a model's folder, or a Hub id; an adapter found there is trained further."""
    tuning: Tuning = "lora"
    """`lora` trains an adapter beside the frozen weights; `full` trains every weight, in far more memory."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Arguments of TRL's configuration class as they are, such as max_steps; they win over our defaults."""
    lora: dict[str, Any] = Field(default_factory=dict)
    """Arguments of PEFT's LoraConfig as they are; ours are r 16, lora_alpha 32, all linear layers."""

    def check(self) -> None:
        for package in ("torch", "transformers", "trl", "peft", "datasets", "accelerate"):
            if find_spec(package) is None:
                raise MissingExtra(package, "train", f"the trainer {self.kind}")
        check_names(self.args, self.config, f"{self.kind}: args")
        check_names(self.lora, "LoraConfig", f"{self.kind}: lora")
        if "output_dir" in self.args:
            raise RecipeError(f"{self.kind}: args: output_dir is chosen by the run; leave it out")
        if self.lora and self.tuning == "full":
            raise RecipeError(f"{self.kind}: lora has no use with tuning full; leave one of them out")
        place = locate(self.model)
        if self.lora and is_adapter(place):
            raise RecipeError(f"{self.kind}: lora cannot change the adapter in {self.model}; leave lora out")

    def plan(self, dataset: Path, seed: int) -> Plan:
        """Raises InputError when the rows are missing or have other columns."""
        train, test = splits(dataset, self.rows, ("prompt", *self.answers), self.split)
        options = self.model_dump(mode="json")
        return Plan(self.kind, options, seed, train, test, weights_of(self.model))

    def train(self, dataset: Path, into: Path, seed: int = 0, say: Say = silent) -> None:
        self.check()
        plan = self.plan(dataset, seed)
        if is_trained(into, plan):
            say(f"{into.name} is already trained from these rows")
            return
        clear(into, plan)
        plan.write(into)
        launch(into, say, plan.options)

    def arguments(self) -> dict[str, Any]:
        return with_numbers(self.args)

    @abstractmethod
    def build(self, job: "Job") -> Any:
        """TRL's trainer for this job, its data prepared."""

    @abstractmethod
    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        """What `trl` trains on: yields a sequence's tokens and, for each, whether it is in the loss."""

    def before(self, job: "Job", trl: Any) -> dict[str, Any]:
        """Metrics of the model as it comes, and the last chance to refuse."""
        return {}

    def after(self, job: "Job", trl: Any) -> dict[str, Any]:
        """Metrics that only this trainer takes of the trained model."""
        return {}
