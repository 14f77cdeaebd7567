"""Generator: options plus one verb that asks a model and yields what it made, kept and rejected."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, NamedEngine
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import Record, Rejected


class Generator(Plugin):
    family: ClassVar[str] = "generators"

    engine: NamedEngine = None
    """Which model answers here; the recipe's engine where nothing is written."""

    def calls(self, records: int) -> int:
        """About how many calls this makes for so many records: what the progress bar runs to."""
        return records

    @abstractmethod
    def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        """Yield in an order that depends on `records` and `dice` alone, never on which reply came first."""
        ...
