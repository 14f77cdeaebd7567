"""A scripted model with random replies, lengths, delays and prices, and recipes for it: what a plan is held against.

What it says follows from the request and the seed of the trial, so the same request gets the same reply; how often its
tasks are refused or repeated, how long its answers are and how long they take differ from trial to trial.
"""

import asyncio
import hashlib
import json
import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tuneworks.factory.engine import Completion, EngineOptions, Request, Usage
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.pipelines.recipe import Recipe, parse_recipe

TARGETS = """
name: priced
sources:
  made:
    seeds: builtin
    stages:
      - self_instruct: {target: 220}
      - length: {min_words: 6, max_words: 60}
      - refusal
      - rouge
      - best_of_n: {n: 3}
mix: {cap: 190}
stages:
  - near_duplicates
"""

FILES = """
name: priced
sources:
  given:
    file: FILE
    stages:
      - length: {min_words: 6, max_words: 60}
      - answer
      - refusal
  made:
    seeds: builtin
    stages:
      - one_call: {target: 160, per_reply: 4}
      - refusal
mix: {cap: 250}
stages:
  - exact_duplicates
  - best_of_n: {n: 2}
"""


def words(rng: random.Random, least: int, most: int) -> str:
    """So many made-up words, of which there are 30,000."""
    count = rng.randint(least, most)
    return " ".join(f"{rng.choice('bcdfgklmnprstvz')}{rng.choice('aeiou')}{rng.randrange(400)}" for _ in range(count))


@dataclass(frozen=True)
class Manner:
    """How the model of one trial behaves."""

    seed: int

    @cached_property
    def _draws(self) -> list[float]:
        rng = random.Random(f"manner {self.seed}")
        return [rng.random() for _ in range(8)]

    @property
    def spoilt(self) -> float:
        """Share of the tasks that are no tasks."""
        return 0.05 + 0.35 * self._draws[0]

    @property
    def repeated(self) -> float:
        """Share of the tasks that come out of a list of common ones."""
        return 0.3 * self._draws[1]

    @property
    def refused(self) -> float:
        return 0.02 + 0.3 * self._draws[2]

    @property
    def answer_words(self) -> int:
        return int(20 + 100 * self._draws[3])

    @property
    def delay(self) -> float:
        return 0.01 + 0.04 * self._draws[4]

    @property
    def slots(self) -> int:
        """Requests it works on at a time; the others wait."""
        return (4, 16, 64, 512)[int(4 * self._draws[5])]

    @property
    def usd(self) -> float:
        """For a token of an answer; one of a prompt costs a quarter."""
        return 1e-6 * (1 + 9 * self._draws[6])

    def task(self, rng: random.Random) -> str:
        chance = rng.random()
        if chance < self.spoilt:
            return words(rng, 1, 2)
        if chance < self.spoilt + self.repeated:
            rng = random.Random(f"common {self.seed} {int(60 * rng.random() ** 2)}")
        return f"Explain {words(rng, 5, 25)}."

    def answer(self, rng: random.Random) -> str:
        if rng.random() < self.refused:
            return "I'm sorry, but I cannot help with that."
        return f"The answer is {words(rng, 3, 2 * self.answer_words)}."

    def reply(self, request: Request, rng: random.Random) -> str | Completion:
        if request.candidates:
            return Completion("", log_probs={c: -rng.uniform(0.1, 3) for c in request.candidates})
        if request.opening and "Instruction:" in request.opening:
            items = [f" {self.task(rng)}\nInput: none\nOutput: {self.answer(rng)}" for _ in range(rng.randint(2, 4))]
            return "\n\nInstruction:".join(items)
        if request.opening:
            tasks = [self.task(rng) for _ in range(rng.randint(3, 8))]
            return " " + "\n".join([tasks[0], *(f"{10 + at}. {task}" for at, task in enumerate(tasks[1:]))])
        return self.answer(rng)


class Slotted(Scripted):
    """Answers so many requests at a time, each after a while of its own."""

    def __init__(self, manner: Manner) -> None:
        super().__init__(lambda request: "", name=f"priced:{manner.seed}")
        self._manner = manner
        self._free = asyncio.Semaphore(manner.slots)

    async def complete(self, request: Request) -> Completion:
        async with self._free:
            said = "".join(m.content for m in request.messages) + request.opening + str(request.seed)
            rng = random.Random(hashlib.blake2b(f"{self._manner.seed} {said}".encode()).digest())
            made = self._manner.reply(request, rng)
            reply = made if isinstance(made, Completion) else Completion(made)
            asked = len(said.split())
            told = len(reply.text.split()) or 1
            work = 0.3 + told / self._manner.answer_words
            await asyncio.sleep(self._manner.delay * rng.lognormvariate(0, 0.5) * work)
            usd = self._manner.usd * (told + asked / 4)
            return Completion(reply.text, usage=Usage(asked, told, usd), log_probs=reply.log_probs)


class Priced(EngineOptions):
    """The model of one trial as an engine of a recipe."""

    kind: ClassVar[str] = "priced"

    trial: int

    def open(self) -> Slotted:
        return Slotted(Manner(self.trial))


def priced_recipe(trial: int, folder: Path) -> Recipe:
    """The recipe of a trial; every other one begins with a file of its own."""
    text = TARGETS if trial % 2 == 0 else FILES.replace("FILE", str(written(trial, folder)))
    update = {"engine": Priced(trial=trial), "seed": trial}
    return parse_recipe(text, "recipe.yaml").model_copy(update=update)


def written(trial: int, folder: Path) -> Path:
    """Instructions of which some are too short and some are there twice."""
    rng = random.Random(f"file {trial}")
    rows = [words(rng, 2, 40) for _ in range(330)]
    rows += [rng.choice(rows) for _ in range(int(40 * rng.random()))]
    path = folder / f"given-{trial}.jsonl"
    path.write_text("\n".join(json.dumps({"instruction": row}) for row in rows) + "\n", encoding="utf-8")
    return path
