"""What an export is made of: a target, and what was written of each part of a dataset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from tuneworks.trainers.rows import Row

Form = Callable[[Row], Row | str]
"""A row of a configuration as the target reads it, or why it cannot be written, in words that follow "because"."""

EVALUATION = ("validation", "test")
"""Splits that a trainer measures on while it trains, the first that is there; all others are trained on."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of one configuration's split."""

    configuration: str
    split: str
    path: Path | None
    """The file; None where no row could be written."""
    rows: int
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Rows that were not written, by the reason."""
    start: str = ""
    """The command, in the folder of the export, that trains on the file; nothing where there is none."""

    @property
    def training(self) -> str:
        """What a training on it is called; nothing where it is measured on. A phase of a mixture is one of its own."""
        if self.split in EVALUATION:
            return ""
        return self.configuration if self.split == "train" else f"{self.configuration}_{self.split}"


@dataclass(frozen=True, slots=True)
class Target:
    """How one consumer wants its files."""

    ending: Literal[".json", ".jsonl", ".parquet"]
    """One array, one object a line, or the dataset's own files as they are."""
    forms: Mapping[str, Form]
    """By configuration; the others have no form there."""
    beside: Callable[[Sequence[Exported], str], Mapping[str, str]]
    """Other files by name (a registry, a trainer's configuration), from what was written and the model to train."""
    starts: Mapping[str, str] = field(default_factory=dict)
    """By configuration, the command that trains on it, with {training} for the training's name."""
    least: int = 0
    """Fewest rows of a training file that the consumer takes."""


def evaluation(written: Sequence[Exported], configuration: str) -> Exported | None:
    """The split of a configuration to measure on."""
    found = {one.split: one for one in written if one.configuration == configuration and one.path is not None}
    return next((found[split] for split in EVALUATION if split in found), None)


def trained(written: Sequence[Exported]) -> list[tuple[Exported, Exported | None]]:
    """What can be trained on, each with what to measure on."""
    return [(one, evaluation(written, one.configuration)) for one in written if one.training and one.path is not None]


def yaml_file(command: str, options: Mapping[str, object]) -> str:
    """A trainer's configuration with the command that reads it."""
    return f"# {command}\n{yaml.safe_dump(dict(options), sort_keys=False, allow_unicode=True)}"
