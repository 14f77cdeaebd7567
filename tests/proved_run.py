"""A run over a file of tasks with good and bad answers, without a model: for tests of what proves it."""

import json
from pathlib import Path

from test_run import built
from tiny_model import WORDS

from tuneworks.pipelines.recipe import Recipe, parse_recipe

RECIPE = """name: proved
sources:
  mine:
    file: {file}
    stages: {stages}
stages: {last}
datasets: [sft]
holdout: {holdout}
"""

FILTERS = "[{length: {max_answer_words: 10}}, exact_duplicates]"

BAD = " ".join(["7 3 9"] * 12)


def tasks(count: int = 90) -> list[dict[str, str]]:
    """Every third answer is bad, and long."""
    return [
        {
            "instruction": f"Say {WORDS[n % 10]} twice, please, thing {n} {n * 7} {n * 11}.",
            "output": BAD if n % 3 == 0 else f"{WORDS[n % 10]} {WORDS[n % 10]}",
        }
        for n in range(count)
    ]


def proved(
    folder: Path, rows: list[dict[str, str]], stages: str = FILTERS, last: str = "[]", holdout: float = 0.25
) -> Recipe:
    """The recipe of the run that is built in `folder`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.parent / "tasks.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    recipe = parse_recipe(RECIPE.format(file=file, stages=stages, last=last, holdout=holdout), "r.yaml")
    built(recipe, folder)
    return recipe
