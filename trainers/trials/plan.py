"""What a process of trials is given, and what it leaves: a plan, the schedule that follows from the tokens, results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneworks.factory.record import fingerprint

PLAN, SCHEDULE, RESULTS, ROWS = "plan.json", "schedule.json", "results", "rows"

FORM = 1
"""Goes up when a trial of the same plan would end otherwise: then results of before are not used again."""


SMALLER = "name a smaller model with --model, or close other programs"
"""What to do where memory ran out."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the view `sft` in a file; `draw` of them a trial, or all."""

    file: str
    sha256: str
    draw: int | None = None


@dataclass(frozen=True, slots=True)
class TrialsPlan:
    model: str
    weights: str
    """Stands for the content of the model's folder; empty for a name."""
    seed: int
    """The first seed; trials take it and those that follow."""
    seeds: int
    tokens: int | None
    """Tokens in the loss of every trial; None is what the smallest arm has."""
    arms: Mapping[str, Rows]
    """Arms to train, by name."""
    held_out: Rows

    def write(self, into: Path) -> None:
        write_json(into / PLAN, asdict(self))

    @classmethod
    def read(cls, into: Path) -> "TrialsPlan":
        content = read_json(into / PLAN)
        arms = {name: Rows(**rows) for name, rows in content.pop("arms").items()}
        return cls(**content | {"arms": arms, "held_out": Rows(**content["held_out"])})

    def base_key(self) -> str:
        """Names the result of the model as it comes."""
        return fingerprint([FORM, self.model, self.weights, self.held_out.sha256])

    def key(self, arm: str, seed: int, budget: int) -> str:
        """Names the result of a trial: equal for trials that end the same."""
        rows = self.arms[arm]
        return fingerprint([self.base_key(), rows.sha256, rows.draw, budget, seed])


@dataclass(frozen=True, slots=True)
class Schedule:
    """What follows from the plan once the tokens are counted."""

    budget: int
    steps: int
    smallest: str
    """The arm with the fewest tokens."""
    arms: Mapping[str, Mapping[str, int]]
    """For each arm its `rows`, the `tokens` of their answers, how many rows were `cut` and how many `dropped`."""
    held_out: Sequence[Mapping[str, Any]]
    """`at`, the place in its file, `id` and `tokens` of each held-out row that is measured."""
    base: str
    trials: Mapping[str, Sequence[str]]
    """Keys of the results of each arm, one a seed."""

    def write(self, into: Path) -> None:
        write_json(into / SCHEDULE, asdict(self))

    @classmethod
    def read(cls, into: Path) -> "Schedule":
        return cls(**read_json(into / SCHEDULE))


def result_file(into: Path, key: str) -> Path:
    return into / RESULTS / f"{key}.json"


def read_json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """The file appears whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.part")
    half.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    half.rename(file)
