"""Writing the dataset of a run: one folder of Parquet a configuration, a card, and a manifest of hashes.

All configurations are conversational in TRL's format: `datasets.load_dataset(folder, "sft")` and TRL's trainers take
them as they are. The folder appears whole or not at all. Records pass slice by slice; they are never in memory whole.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Record, from_table, to_table
from tuneworks.pipelines.dataset.card import CARD, plain_card
from tuneworks.pipelines.dataset.levels import described, levels_of
from tuneworks.pipelines.dataset.manifest import write_manifest
from tuneworks.pipelines.dataset.membership import Mask, held_out, members
from tuneworks.pipelines.dataset.pretraining import PRETRAINING, Texts, write_texts
from tuneworks.pipelines.dataset.sides import LEFT_OUT, TRAIN, sides
from tuneworks.pipelines.recipe import Recipe
from tuneworks.trainers.plan import PHASES
from tuneworks.trainers.rows import VIEWS, View, quality_view

Rows = dict[str, dict[str, int]]
"""Rows by configuration and split."""

Card = Callable[[Rows, Mapping[str, Any]], str]
"""Writes the README.md from the rows and from what the manifest says beside them."""

SLICE = 10_000
"""Records that are Python objects at a time."""


def write_dataset(
    records: pl.LazyFrame | Sequence[Record],
    recipe: Recipe,
    folder: Path,
    documents: pl.LazyFrame | None = None,
    card: Card = plain_card,
    **facts: Any,
) -> Rows:
    """Write every configuration the recipe asks for. `documents` are those that pretraining takes, `card` writes the
    README.md, and `facts` stand in the manifest."""
    table = records if isinstance(records, pl.LazyFrame) else to_table(records).lazy()
    half = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    side = sides(table, recipe.holdout.model_dump(), Dice(recipe.seed, "holdout"))
    sources = table.select("source").collect()["source"]
    splits = members(side, sources, recipe.mix.phases, Dice(recipe.seed, "phases"))
    views = dict(VIEWS)
    if "quality" in recipe.datasets:
        levels = levels_of(table, recipe.quality, (side == TRAIN).to_numpy())
        views["quality"], facts["quality"] = quality_view(levels), described(levels)
    rows = _write_views(table, splits, {name: views[name] for name in recipe.datasets}, half)
    if recipe.mix.phases:
        ids = table.select("id").collect()["id"]
        held = {name: ids.filter(mask).to_list() for name, mask in held_out(side, sources, recipe.mix.phases).items()}
        (half / PHASES).write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    facts["left_out"] = int((side == LEFT_OUT).sum())
    if recipe.pretraining and documents is not None:
        texts = _carried(recipe, documents, table, (side == TRAIN).to_numpy(), half)
        rows[PRETRAINING], facts[PRETRAINING] = {TRAIN: texts.rows}, asdict(texts)
    (half / CARD).write_text(card(rows, facts), encoding="utf-8")
    write_manifest(half, recipe.name, rows, **facts)
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)
    return rows


def _carried(recipe: Recipe, documents: pl.LazyFrame, table: pl.LazyFrame, trained: Mask, folder: Path) -> Texts:
    assert recipe.pretraining is not None
    into, dice = folder / PRETRAINING / f"{TRAIN}.parquet", Dice(recipe.seed, PRETRAINING)
    return write_texts(documents, table, trained, recipe.pretraining.share, recipe.mix.tokenizer, dice, into)


def _write_views(table: pl.LazyFrame, splits: Mapping[str, Mask], views: Mapping[str, View], folder: Path) -> Rows:
    """Slice by slice, each a file; then the slices of a split are put together. A split without rows leaves no file,
    for an empty one would break its readers."""
    height = len(next(iter(splits.values())))
    rows: Rows = {name: dict.fromkeys(splits, 0) for name in views}
    parts = folder / "parts"
    for at in range(0, height, SLICE):
        records = from_table(table.slice(at, SLICE).collect())
        for split, mask in splits.items():
            chosen = [r for r, taken in zip(records, mask[at : at + SLICE], strict=True) if taken]
            for name, view in views.items():
                rows[name][split] += _write(view, chosen, parts / name / split / f"{at:012d}.parquet")
    for name, counts in rows.items():
        for split in (split for split, count in counts.items() if count):
            (folder / name).mkdir(exist_ok=True)
            slices = sorted((parts / name / split).iterdir())
            pl.scan_parquet(slices).sink_parquet(folder / name / f"{split}.parquet", row_group_size=SLICE)
    shutil.rmtree(parts, ignore_errors=True)
    return rows


def _write(view: View, records: Sequence[Record], path: Path) -> int:
    table = pl.DataFrame(list(view.rows(records)), schema=view.schema)
    if table.height:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(path)
    return table.height
