"""Trainer: options plus one verb over training rows."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from tuneworks.factory.plugin import Plugin
from tuneworks.factory.weights import Say


def silent(_: str) -> None:
    """Says nothing: for whoever does not want to hear how a training goes."""


class Trainer(Plugin):
    family: ClassVar[str] = "trainers"
    split: str = "train"
    """Which split of the dataset it trains on: train, or the name of a phase of mix."""

    @property
    @abstractmethod
    def rows(self) -> str:
        """The dataset configuration it trains on; a class variable where no option decides."""
        ...

    def check(self) -> None:
        """Raise now what would fail later: a missing package or model, an argument TRL does not know."""

    @abstractmethod
    def train(self, dataset: Path, into: Path, seed: int = 0, say: Say = silent) -> None:
        """Train on the configuration `rows` of the folder `dataset`; leave model, metrics and manifest in
        `into`.

        `say` gets a line of text now and then: what the data looks like, how the loss falls. An `into`
        that is whole and was trained from the same options, seed and data is left alone.
        """
        ...

    def planned(self, dataset: Path, into: Path, seed: int = 0) -> list[str]:
        """What `train` would do, in lines; raises what it would raise before it starts."""
        return [f"trains on {self.rows} of {dataset}"]
