"""What a model is measured on: rows of a dataset that no training saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Message
from tuneworks.pipelines.stages import RECORDS
from tuneworks.trainers.rows import messages, ordered, without_control

HELD_OUT = ("test", "validation")
"""The splits in the order in which they are looked for: a training may have been watched by the second."""

HOW = "set holdout: 0.1 in the recipe, then: tuneworks build RECIPE --update"


@dataclass(frozen=True, slots=True)
class HeldRow:
    id: str
    source: str
    prompt: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Graded:
    """A record with its answers by quality, its prompt without a control."""

    id: str
    prompt: tuple[Message, ...]
    answers: Mapping[str, Sequence[str]]


def held_rows(dataset: Path, sources: Mapping[str, str], most: int, seed: int) -> list[HeldRow]:
    """Up to `most` rows of the view `sft`, drawn by the seed and in their order; raises InputError where there are
    none."""
    rows = _rows(dataset, "sft")
    if rows is None or rows.is_empty():
        raise InputError(f"the dataset {dataset} holds out no rows of sft to measure on; {HOW}")
    chosen = _drawn(rows["id"].unique(maintain_order=True).to_list(), most, seed)
    return [
        HeldRow(row["id"], sources.get(row["id"], ""), messages(row["prompt"]), row["completion"][-1]["content"])
        for row in rows.unique("id", maintain_order=True).iter_rows(named=True)
        if row["id"] in chosen
    ]


def graded(dataset: Path, most: int, seed: int) -> list[Graded]:
    """Up to `most` held-out records of the view `quality` that have answers of two qualities."""
    rows = _rows(dataset, "quality")
    if rows is None or "control" not in rows.columns:
        return []
    found: dict[str, Graded] = {}
    answers: dict[str, dict[str, list[str]]] = {}
    for row in rows.iter_rows(named=True):
        if ordered([row["quality"]]) and len(row["completion"]) == 1:
            prompt = messages(without_control(row["prompt"], row["control"]))
            mine = answers.setdefault(row["id"], {})
            mine.setdefault(row["quality"], []).append(row["completion"][-1]["content"])
            found.setdefault(row["id"], Graded(row["id"], prompt, mine))
    whole = [one for one in found.values() if len(one.answers) > 1]
    chosen = _drawn([one.id for one in whole], most, seed)
    return [one for one in whole if one.id in chosen]


def sources_of(run: Path | None) -> dict[str, str]:
    """The source of each record in the last step of the run."""
    steps = sorted(run.glob(f"[0-9][0-9]-*/{RECORDS}")) if run is not None else []
    if not steps:
        return {}
    table = pl.read_parquet(steps[-1], columns=["id", "source"])
    return dict(zip(table["id"].to_list(), table["source"].to_list(), strict=True))


def _rows(dataset: Path, view: str) -> pl.DataFrame | None:
    files = [dataset / view / f"{split}.parquet" for split in HELD_OUT]
    tables: list[Any] = [pl.read_parquet(file) for file in files if file.is_file()]
    return next((table for table in tables if table.height), None)


def _drawn(ids: Sequence[str], most: int, seed: int) -> frozenset[str]:
    if len(ids) <= most:
        return frozenset(ids)
    return frozenset(Dice(seed, "evaluate").random("held out").sample(list(ids), most))
