"""Self-Instruct (arXiv:2212.10560): from a few seed tasks to many, each with an input and an output."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.flight import in_order
from tuneworks.factory.generator import Generator
from tuneworks.factory.language import language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import load_prompts
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.self_instruct.bootstrap import Bootstrap
from tuneworks.factory.self_instruct.few_shot import FewShot
from tuneworks.factory.self_instruct.instances import Instances, Limits
from tuneworks.factory.self_instruct.layouts import Layout
from tuneworks.factory.self_instruct.pool import Gate, Pool, seed_tasks
from tuneworks.factory.self_instruct.prompts import PROMPTS, Prompting
from tuneworks.factory.self_instruct.sorting import CALIBRATION_SEEDS
from tuneworks.factory.self_instruct.text_rules import RuleSet


class SelfInstruct(Generator):
    """Make new tasks from seed tasks, each with an input and an output (Self-Instruct).

    `preset: paper` does as the paper and its code do, as far as a chat model can.
    """

    kind: ClassVar[str] = "self_instruct"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {
            "rules": "published",
            "prompting": "few_shot",
            "max_similarity": 0.7,
            "instances": 5,
            "max_tokens": 350,
            "layout": "varied",
        }
    }

    target: int = Field(default=100, ge=1)
    """How many new tasks to make."""
    max_similarity: float = Field(default=0.7, gt=0, le=1)
    """A new task goes if its ROUGE-L with any seed or any task made so far is over this."""
    rules: RuleSet = "ours"
    """Which texts are tasks: by our rules, or by the published ones, which compare words of a-z and 0-9 alone and drop
    a whole list where its end is cut off."""
    prompting: Prompting = "chat"
    """chat: the model is asked for an input where one is needed, then to do the task. few_shot: as published, it goes
    on with examples, and one reply holds all instances of a task."""
    instances: int = Field(default=1, ge=1, le=5)
    """Inputs and outputs made for each task, at most."""
    max_tokens: int = Field(default=350, ge=1)
    """Most tokens an input or an output may have, or with few_shot a reply; what is cut off there is not used."""
    guidance: str = ""
    """Said to the model as the system message when it is asked for an output, and not kept in the record."""
    layout: Layout = "plain"
    """plain: the instruction, an empty line, the input. varied: one of several layouts, by dice."""
    prompts: File | None = None
    """A YAML file with prompts of your own in the place of ours."""

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)

    def calls(self, records: int) -> int:
        listing = self.target // 4
        if self.prompting == "few_shot":
            return listing + 2 * self.target
        return listing + 2 * CALIBRATION_SEEDS + self.target * (1 + 3 * self.instances)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        seeds = seed_tasks(records, self.kind)
        language = language_of(" ".join(str(seed.meta["instruction"]) for seed in seeds))
        prompts = load_prompts(self.prompts, PROMPTS)[language]
        pool = Pool(seeds, dice.stage, Gate.of(self.rules, self.max_similarity))
        tasks: list[Record] = []
        bootstrap = Bootstrap(pool, engine, dice, prompts, self.rules, self.prompting)
        async for item in bootstrap.tasks(self.target):
            if isinstance(item, Record):
                tasks.append(item)
            else:
                yield item
        if not tasks:
            return
        limits = Limits(self.instances, self.max_tokens, self.guidance, self.layout)
        of: Instances | FewShot
        if self.prompting == "few_shot":
            of = FewShot(seeds, engine, dice, prompts, limits)
        else:
            of = await Instances.calibrated(seeds, engine, dice, language, prompts, limits)
        async for made in in_order((partial(of.of, task) for task in tasks), engine.room):
            for instance in made:
                yield instance
