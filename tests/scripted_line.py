"""A scripted model that can do the whole line, and a recipe for it: for tests of runs without a model."""

import hashlib
import random
from typing import ClassVar

from tuneworks.factory.engine import Completion, EngineOptions, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.pipelines.recipe import Recipe, parse_recipe

SUBJECTS = [
    *("bread", "rivers", "chess", "bees", "candles", "maps", "trains", "clouds"),
    *("violins", "spiders", "bridges", "salt", "mirrors", "clocks", "owls", "tea"),
]
VERBS = ["Explain how", "Describe why", "Tell me when", "List reasons that", "Compare the ways"]

RECIPE = """
name: scripted
sources:
  made:
    seeds: builtin
    stages:
      - self_instruct: {target: 24}
      - length: {min_words: 4, max_words: 150}
      - rules
      - rouge
      - best_of_n: {n: 3}
mix: {cap: 10}
stages:
  - exact_duplicates
holdout: 0.2
"""


def number(request: Request) -> int:
    text = "".join(m.content for m in request.messages) + request.opening + str(request.seed)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def reply(request: Request) -> str | Completion:
    """Continues lists, marks answers, and answers in a sentence; the same request gets the same reply."""
    chance = number(request)
    if request.candidates:
        weights = {c: -float((chance >> (3 * i)) % 7) - 0.1 for i, c in enumerate(request.candidates)}
        return Completion("", log_probs=weights)
    if request.opening:
        rng = random.Random(chance)
        tasks = [f"{rng.choice(VERBS)} {' '.join(rng.sample(SUBJECTS, 6))}." for _ in range(6)]
        return " " + "\n".join([tasks[0], *(f"{10 + i}. {t}" for i, t in enumerate(tasks[1:]))])
    return f"The short answer is {SUBJECTS[chance % 16]}, as number {chance % 1000} shows."


class ScriptedLine(EngineOptions):
    """The scripted model as an engine of a recipe."""

    kind: ClassVar[str] = "scripted"

    def open(self) -> Scripted:
        return Scripted(reply)


def scripted_recipe(text: str = RECIPE) -> Recipe:
    return parse_recipe(text, "recipe.yaml").model_copy(update={"engine": ScriptedLine()})
