"""A run over a file of tasks, without a model: for tests that read runs."""

import json
from pathlib import Path

from test_run import built

from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.pipelines.run import Built

TASKS = [
    "Write a short poem about a lake in winter.",
    "Write a short poem about a sea in winter.",
    "Write a long poem about the sea in summer.",
    "Name three rivers that flow through Vienna.",
    "Name rivers.",
    "Explain how bees find their way back to the hive.",
]

RECIPE = """name: filed
sources:
  mine:
    file: {file}
    stages:
      - length: {{min_words: {min_words}}}
      - rouge: {{max: {most}}}
stages:
  - exact_duplicates
datasets: [sft]
holdout: 0
"""


def filed(folder: Path, min_words: int = 3, most: float = 0.7, update: bool = False) -> Built:
    """The run that a recipe with these thresholds leaves in `folder`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.parent / "tasks.jsonl"
    file.write_text("\n".join(json.dumps({"instruction": t, "output": f"Done {n}."}) for n, t in enumerate(TASKS)))
    recipe = parse_recipe(RECIPE.format(file=file, min_words=min_words, most=most), "r.yaml")
    return built(recipe, folder, update)
