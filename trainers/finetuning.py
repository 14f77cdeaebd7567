"""What the trainings of this package share: their options, their checks, and starting a worker."""

from abc import abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from tuneworks.factory.errors import InputError, MissingExtra, RecipeError
from tuneworks.factory.plugin import File
from tuneworks.factory.weights import SMOLLM2, Say, locate
from tuneworks.trainers.arguments import check_names, with_numbers
from tuneworks.trainers.bits import Bits, refuse_bits, refuse_model, refuse_other_bits
from tuneworks.trainers.checkpoints import clear
from tuneworks.trainers.failures import smaller
from tuneworks.trainers.launch import launch
from tuneworks.trainers.loading import is_adapter
from tuneworks.trainers.nested import packed
from tuneworks.trainers.peft_options import refuse_options
from tuneworks.trainers.plan import DONE, Plan, begun_from, is_trained, splits, weights_of
from tuneworks.trainers.planned import lines
from tuneworks.trainers.processes import Processes, read_processes
from tuneworks.trainers.trackers import refuse_missing
from tuneworks.trainers.trainer import Trainer, silent
from tuneworks.trainers.tuning import METHODS, Tuning, refuse, refuse_adapter

if TYPE_CHECKING:
    from tuneworks.trainers.stopping import Stopping


class FineTuning(Trainer):
    """A training of a language model in a process of its own."""

    config: ClassVar[str]
    """TRL's configuration class, which `args` are for."""
    task: ClassVar[str] = "CAUSAL_LM"
    """What PEFT calls the kind of model."""
    continues: ClassVar[bool] = True
    """Whether an adapter found at `model` is trained further; else it is merged, and a new one trained."""
    has_reference: ClassVar[bool] = False
    """Whether the model is compared with itself without what is trained."""
    cpu_batch: ClassVar[int]
    """Rows a step without a GPU: few, so that a step of a small model takes seconds."""

    model: str = SMOLLM2
    """`smollm2` (packaged), a model's folder, or a Hub id; an adapter found there is trained further."""
    follows: str | None = None
    """In place of `model`, an earlier training of the recipe by the name of its folder (sft, sft-2 ...): it begins from
    what that one leaves, an adapter merged into its model."""
    tuning: Tuning = "lora"
    """`full` trains every weight; the others a little beside the frozen model: adapters (`lora`, `rslora`, `dora`,
    `adalora`, `ia3`, `bottleneck`), or a prompt in the place of words (`prompt`, `prefix`, `p_tuning`)."""
    bits: Bits | None = None
    """4 or 8 bit for the frozen weights under what is trained, in place of 32 (QLoRA)."""
    accelerate: File | None = None
    """A configuration file of accelerate's, for several processes: DDP, FSDP2 or DeepSpeed; one process without it."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Arguments of TRL's configuration class as they are, such as max_steps; they win over our defaults."""
    peft: dict[str, Any] = Field(default_factory=dict)
    """Arguments of PEFT's configuration class for `tuning` as they are, such as r; they win over our defaults.
    `bottleneck` takes `width` and `placement` (`houlsby` or `pfeiffer`)."""

    @model_validator(mode="before")
    @classmethod
    def _peft_by_its_first_name(cls, options: object) -> object:
        """`peft` was called `lora` while there was nothing else."""
        if isinstance(options, Mapping) and "lora" in options and "peft" not in options:
            return {"peft" if name == "lora" else name: value for name, value in options.items()}
        return options

    def check(self) -> None:
        for package in ("torch", "transformers", "trl", "peft", "datasets", "accelerate"):
            if find_spec(package) is None:
                raise MissingExtra(package, "train", f"the trainer {self.kind}")
        check_names(self.args, self.config, f"{self.kind}: args")
        if self.tuning == "full" and self.peft:
            raise RecipeError(f"{self.kind}: peft has no use with tuning full; leave one of them out")
        if self.tuning != "full":
            check_names(self.peft, METHODS[self.tuning].config, f"{self.kind}: peft")
        if "output_dir" in self.args:
            raise RecipeError(f"{self.kind}: args: output_dir is chosen by the run; leave it out")
        refuse(self.tuning, self.args, self.peft, self.kind)
        refuse_options(self.peft, self.has_reference, self.kind)
        refuse_bits(self.bits, self.tuning, self.args, self.peft, self.kind)
        self.processes()
        refuse_missing(self.args, self.kind)
        if self.follows is not None:
            if self.model != type(self).model_fields["model"].default:
                raise RecipeError(f"{self.kind}: follows names the model to begin from; leave model out")
            return
        place = locate(self.model)
        further = self.continues and self.tuning != "full"
        refuse_model(self.bits, not further, place, self.kind)
        if is_adapter(place):
            refuse_adapter(self.tuning if self.continues else "full", place, self.kind)
            if further:
                refuse_other_bits(self.bits, place, self.kind)
            if self.continues and self.peft:
                raise RecipeError(f"{self.kind}: peft cannot change the adapter in {self.model}; leave peft out")

    def plan(self, dataset: Path, seed: int, into: Path | None = None) -> Plan:
        """Raises InputError when the rows are missing or have other columns. What it follows is beside `into`."""
        train, test = splits(dataset, self.rows, self.columns(), self.split)
        options, together = packed(self), self.processes()
        print_ = together.print if together else ""
        if self.follows is None:
            return Plan(self.kind, options, seed, train, test, weights_of(self.model), processes=print_)
        if into is None:
            raise InputError(f"{self.kind} follows {self.follows}; name the folder it is trained into")
        place, earlier = begun_from(self.follows, into)
        options |= {"model": str(place)}
        return Plan(self.kind, options, seed, train, test, weights_of(str(place)), earlier, processes=print_)

    def train(self, dataset: Path, into: Path, seed: int = 0, say: Say = silent) -> None:
        self.check()
        plan = self.plan(dataset, seed, into)
        if is_trained(into, plan):
            say(f"{into.name} is already trained from these rows")
            return
        self.make_room(into, plan)
        plan.write(into)
        launch(into, say, smaller(plan.options), processes=self.processes())

    def planned(self, dataset: Path, into: Path, seed: int = 0) -> list[str]:
        self.check()
        train, test = splits(dataset, self.rows, self.columns(), self.split)
        done = "; it begins from a training that is not done yet"
        if self.follows is None or (into.parent / self.follows / DONE).is_file():
            done = "; it is trained already" if is_trained(into, self.plan(dataset, seed, into)) else ""
        return list(lines(self, train, test, done))

    def processes(self) -> Processes | None:
        """In which it trains; None is one. Raises RecipeError where accelerate's file is none."""
        return read_processes(self.accelerate, self.kind) if self.accelerate is not None else None

    def make_room(self, into: Path, plan: Plan) -> None:
        """Leave in `into` what a training by this plan goes on from, and nothing else."""
        clear(into, plan)

    @abstractmethod
    def work(self, plan: Plan, into: Path, say: Say, stopping: "Stopping") -> None:
        """What the process does that `train` starts."""

    def arguments(self) -> dict[str, Any]:
        return with_numbers(self.args)

    def own_arguments(self) -> dict[str, Any]:
        """Where this trainer's arguments differ from those that all have."""
        return {}

    def peft_options(self) -> dict[str, Any]:
        """Those of the user, and the kind of model."""
        return {"task_type": self.task, **self.peft}

    def columns(self) -> tuple[str, ...]:
        """What the rows must have."""
        return ("prompt",)
