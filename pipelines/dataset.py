"""The dataset a run leaves: one folder of Parquet a configuration, a card, and a manifest of hashes.

All configurations are conversational in TRL's format: `datasets.load_dataset(folder, "sft")` and TRL's trainers take
them as they are. The folder appears whole or not at all.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
import yaml

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Record
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.splits import split
from tuneworks.trainers.rows import PREFERENCE, QUALITY, SFT, Row, preference_rows, quality_rows, sft_rows

VIEWS = {"sft": (sft_rows, SFT), "preference": (preference_rows, PREFERENCE), "quality": (quality_rows, QUALITY)}

SPLITS = ("train", "test")
MANIFEST = "manifest.json"
CARD = "README.md"


def write_dataset(records: Sequence[Record], recipe: Recipe, folder: Path) -> dict[str, dict[str, int]]:
    """Write every configuration the recipe asks for; rows by configuration and split."""
    half = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    sides = split(records, recipe.holdout, Dice(recipe.seed, "holdout"))
    counts: dict[str, dict[str, int]] = {}
    for name in recipe.datasets:
        view, schema = VIEWS[name]
        counts[name] = {side: _write(view(rows), schema, half / name / f"{side}.parquet") for side, rows in sides}
    (half / CARD).write_text(card(recipe, counts), encoding="utf-8")
    files = {str(p.relative_to(half)): sha256(p) for p in sorted(half.rglob("*")) if p.is_file()}
    manifest = {"rows": counts, "files": files}
    (half / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)
    return counts


def _write(rows: Iterable[Row], schema: pl.Schema, path: Path) -> int:
    """Rows written; a split without rows leaves no file, for an empty one would break its readers."""
    table = pl.DataFrame(list(rows), schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    if table.height:
        table.write_parquet(path)
    return table.height


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def card(recipe: Recipe, counts: dict[str, dict[str, int]]) -> str:
    """The dataset's README.md: its front matter tells `datasets` which files are which configuration."""
    configs = [
        {
            "config_name": name,
            "data_files": [{"split": s, "path": f"{name}/{s}.parquet"} for s in SPLITS if rows[s]],
        }
        for name, rows in counts.items()
        if any(rows.values())
    ]
    front = yaml.safe_dump({"configs": configs, "tags": ["synthetic", "tuneworks"]}, sort_keys=False)
    lines = [f"| {name} | {rows['train']} | {rows['test']} |" for name, rows in counts.items()]
    table = "\n".join(["| configuration | train | test |", "|---|---|---|", *lines])
    load = f'datasets.load_dataset("path/to/this/folder", "{configs[0]["config_name"]}")' if configs else ""
    return (
        f"---\n{front}---\n\n# {recipe.name}\n\nMade with Tuneworks by the engine "
        f"`{json.dumps(recipe.engine.written(), ensure_ascii=False)}`, seed {recipe.seed}.\n\n{table}\n\n"
        f"Rows are conversational in TRL's format; load them with `{load}`.\n"
    )
