"""Instructions that no text can answer: they need a picture, a sound, a file or a link, or ask for nothing."""

from typing import ClassVar

import polars as pl

from tuneworks.factory.wording import asks_nothing, needs_attachment
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.signs import instructions, marked, told_of


class NeedsAttachment(Filter):
    """Drop records whose instruction is about, or asks for, a picture, a sound, a file or a link."""

    kind: ClassVar[str] = "needs_attachment"
    by_process: ClassVar[bool] = True

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return marked(instructions(table), needs_attachment)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return told_of("instruction", measures)


class AsksNothing(Filter):
    """Drop records whose instruction is a statement in English: no question, no wish, no order."""

    kind: ClassVar[str] = "asks_nothing"
    by_process: ClassVar[bool] = True

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return marked(instructions(table), asks_nothing)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return told_of("instruction", measures)
