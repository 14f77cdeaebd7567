"""The card of a dataset: its README.md, whose front matter the Hub and `datasets` read."""

import json
from collections.abc import Mapping

import yaml

from tuneworks.pipelines.recipe import Recipe

CARD = "README.md"


def card(recipe: Recipe, counts: Mapping[str, Mapping[str, int]]) -> str:
    """The dataset's README.md: its front matter tells `datasets` which files are which configuration."""
    configs = [
        {
            "config_name": name,
            "data_files": [{"split": s, "path": f"{name}/{s}.parquet"} for s, count in rows.items() if count],
        }
        for name, rows in counts.items()
        if any(rows.values())
    ]
    front = yaml.safe_dump({"configs": configs, "tags": ["synthetic", "tuneworks"]}, sort_keys=False)
    lines = [f"| {name} | {split} | {count} |" for name, rows in counts.items() for split, count in rows.items()]
    table = "\n".join(["| configuration | split | rows |", "|---|---|---|", *lines])
    load = f'datasets.load_dataset("path/to/this/folder", "{configs[0]["config_name"]}")' if configs else ""
    return (
        f"---\n{front}---\n\n# {recipe.name}\n\nMade with Tuneworks by the engine "
        f"`{json.dumps(recipe.engine.written(), ensure_ascii=False)}`, seed {recipe.seed}.\n\n{table}\n\n"
        f"Rows are conversational in TRL's format; load them with `{load}`.\n"
    )
