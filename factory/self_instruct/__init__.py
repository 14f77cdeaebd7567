"""Self-Instruct (arXiv:2212.10560): from a few seed tasks to many, each with an input and an output."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import InputError
from tuneworks.factory.flight import in_order
from tuneworks.factory.generator import Generator
from tuneworks.factory.language import language_of
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.self_instruct.bootstrap import bootstrap
from tuneworks.factory.self_instruct.instances import Instances, Limits
from tuneworks.factory.self_instruct.prompts import PROMPTS
from tuneworks.factory.self_instruct.sorting import CALIBRATION_SEEDS


class SelfInstruct(Generator):
    """Make new tasks from seed tasks, each with an input and an output (Self-Instruct)."""

    kind: ClassVar[str] = "self_instruct"

    target: int = Field(default=100, ge=1)
    """How many new tasks to make."""
    max_similarity: float = Field(default=0.7, gt=0, le=1)
    """A new task goes if its ROUGE-L with any seed or any task made so far is over this."""
    instances: int = Field(default=1, ge=1, le=5)
    """Inputs and outputs made for each task."""
    max_tokens: int = Field(default=350, ge=1)
    """Most tokens an input or an output may have; one that is cut off there is not used."""
    guidance: str = ""
    """Said to the model as the system message when it is asked for an output, and not kept in the record."""

    def calls(self, records: int) -> int:
        listing, sorting = self.target // 4, 2 * CALIBRATION_SEEDS
        return listing + sorting + self.target * (1 + 3 * self.instances)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        seeds = seed_tasks(records)
        prompts = PROMPTS[language_of(" ".join(str(seed.meta["instruction"]) for seed in seeds))]
        tasks: list[Record] = []
        async for item in bootstrap(seeds, engine, dice, prompts, self.target, self.max_similarity):
            if isinstance(item, Record):
                tasks.append(item)
            else:
                yield item
        if not tasks:
            return
        limits = Limits(self.instances, self.max_tokens, self.guidance)
        instances_of = await Instances.calibrated(seeds, engine, dice, prompts, limits)
        async for instances in in_order(partial(instances_of.of, task) for task in tasks):
            for instance in instances:
                yield instance


def seed_tasks(records: Sequence[Record]) -> list[Record]:
    """The records that say what their instruction is; what else a seed says is no where they are silent."""
    seeds = [
        r.with_meta(**{"input": "", "is_classification": False, **r.meta}) for r in records if r.meta.get("instruction")
    ]
    if not seeds:
        raise InputError(
            f"self_instruct got {len(records)} records and none is a task with an instruction; "
            "start its source from seeds: builtin, or from a file with instructions"
        )
    return seeds
