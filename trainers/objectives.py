"""Objectives: several rewards that one model learns, each standardised, and how they weigh in its one score.

A row of `ranked` carries them by name under `scores`. This file loads no torch.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import polars as pl

from tuneworks.factory.errors import InputError

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Objective:
    name: str
    weight: float
    mean: float
    deviation: float

    def standardised(self, value: float) -> float:
        return (value - self.mean) / self.deviation

    def told(self) -> dict[str, float]:
        """Its weight and scale, as config.json and metrics.json hold them."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


def given(row: Row, names: Iterable[str]) -> list[list[float]] | None:
    """Of each answer the scores of these names; None where one of them lacks one."""
    by_name = {entry["name"]: entry["values"] for entry in row["scores"]}
    columns = [by_name.get(name, [None]) for name in names]
    if any(value is None for column in columns for value in column):
        return None
    return [list(of_answer) for of_answer in zip(*columns, strict=True)]


def fitted(answers: Sequence[Sequence[float]], weights: Mapping[str, float]) -> tuple[Objective, ...]:
    """Each objective with its scale, from the scores of all answers: (answers, objectives)."""
    columns = list(zip(*answers, strict=True))
    return tuple(
        Objective(name, weight, fmean(column), pstdev(column) or 1.0)
        for (name, weight), column in zip(weights.items(), columns, strict=True)
    )


def targets(answer: Sequence[float], objectives: Sequence[Objective]) -> list[float]:
    return [objective.standardised(value) for objective, value in zip(objectives, answer, strict=True)]


def combined(standardised: Sequence[float], objectives: Sequence[Objective]) -> float:
    return math.fsum(o.weight * value for o, value in zip(objectives, standardised, strict=True))


def require_scores(file: Path, names: Iterable[str]) -> None:
    """Raise InputError unless a row in `file` has each of these scores for all its answers."""
    rows = pl.read_parquet(file, columns=["scores"]).to_dicts()
    held = {entry["name"] for row in rows for entry in row["scores"]}
    missing = [name for name in names if name not in held]
    if missing:
        raise InputError(
            f"no answer in {file} has a score {missing[0]!r} (they have: {', '.join(sorted(held)) or 'none'}); "
            "name those that are there under objectives, or score the answers with the reward combined"
        )
    if not any(given(row, names) for row in rows):
        raise InputError(
            f"no ranking in {file} has the scores {', '.join(names)} for each of its answers; "
            "score all answers with the reward combined, or name other objectives"
        )
