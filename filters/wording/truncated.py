"""Answers that end in the middle of a sentence."""

from typing import ClassVar

import polars as pl
from pydantic import Field

from tuneworks.factory.wording.truncation import CUT_WORDS, LONE_CUT_WORDS, Ending, ending_told, open_ending
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.signs import answers, told_of

MEASURES = pl.Schema({"at": pl.String(), "words": pl.UInt32(), "marked": pl.Boolean()})
"""The fields of `Ending`."""


class Truncated(Filter):
    """Drop records whose best answer ends in mid-sentence: at a comma, an "and", or without a closing mark."""

    kind: ClassVar[str] = "truncated"
    by_process: ClassVar[bool] = True
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    words: int = Field(default=CUT_WORDS, ge=1)
    """Words of a last line from which on a missing closing mark counts."""
    lone_words: int = Field(default=LONE_CUT_WORDS, ge=1)
    """The same where no sentence of the answer has a closing mark, by style."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        ends = (None if answer is None else open_ending(answer) for answer in answers(table))
        return pl.DataFrame([end or (None,) * len(MEASURES) for end in ends], schema=MEASURES, orient="row")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        ends = measures.select(list(MEASURES)).iter_rows()
        signs = [None if row[0] is None else ending_told(Ending(*row), self.words, self.lone_words) for row in ends]
        return told_of("answer", pl.DataFrame({"sign": signs}, schema={"sign": pl.String}))
