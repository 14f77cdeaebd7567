"""What every card of a dataset must have: front matter that tells `datasets` which files are which configuration."""

from collections.abc import Mapping
from typing import Any

import yaml

CARD = "README.md"

Rows = Mapping[str, Mapping[str, int]]


def front_matter(rows: Rows, **facts: object) -> str:
    """The YAML block at the top of a README.md; facts without a value are left out."""
    configs = [
        {
            "config_name": name,
            "data_files": [{"split": split, "path": f"{name}/{split}.parquet"} for split, n in counts.items() if n],
        }
        for name, counts in rows.items()
        if any(counts.values())
    ]
    held = {name: value for name, value in facts.items() if value}
    return f"---\n{yaml.safe_dump({**held, 'configs': configs}, sort_keys=False, allow_unicode=True)}---\n"


def plain_card(rows: Rows, facts: Mapping[str, Any]) -> str:
    """The card of a dataset that was written without a run."""
    return f"{front_matter(rows, tags=['tuneworks'])}\n{loading(rows)}\n"


def loading(rows: Rows) -> str:
    """How to load it, in Python."""
    name = next((name for name, counts in rows.items() if any(counts.values())), None)
    if name is None:
        return "It holds no rows."
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("PLACE", "{name}")  # this folder, or its name on the Hub\n```'
    )
