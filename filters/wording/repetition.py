"""Answers that run in a loop, measured in numbers, so that a limit can be changed without measuring again."""

from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from tuneworks.factory.wording.loops import SHORTEST_RUN, Limits, Loops, loop_told, loops
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.signs import answers, told_of

LIMITS = Limits()
MEASURES = pl.Schema(
    {
        "letters": pl.UInt32(),
        "piece": pl.String(),
        "sentence_times": pl.UInt32(),
        "sentence_share": pl.Float64(),
        "item": pl.String(),
        "item_times": pl.UInt32(),
        "item_share": pl.Float64(),
        "tokens": pl.UInt32(),
        "phrase_share": pl.Float64(),
    }
)
"""The fields of `Loops`."""

Share = Annotated[float, Field(gt=0, le=1)]


class Repetition(Filter):
    """Drop records whose best answer runs in a loop: of letters, of a sentence, of an item of a list, or of phrases.

    An option that is null lets its kind of loop pass.
    """

    kind: ClassVar[str] = "repetition"
    by_process: ClassVar[bool] = True
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    letters: int | None = Field(default=LIMITS.letters, ge=SHORTEST_RUN)
    """Letters from which on a run is a loop that says one to eight of them again and again."""
    sentence_share: Share | None = LIMITS.sentence_share
    """Share of the words from which on a sentence or line is a loop that comes five times or more."""
    item_share: Share | None = LIMITS.item_share
    """Share of a numbered list above which one item is a loop that comes four times or more."""
    phrase_share: Share | None = LIMITS.phrase_share
    """Share of the words from which on phrases of eight that came before are a loop, in answers of 48 words or more."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        rows = [(None,) * len(MEASURES) if answer is None else loops(answer) for answer in answers(table)]
        return pl.DataFrame(rows, schema=MEASURES, orient="row")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        limits = Limits(self.letters, self.sentence_share, self.item_share, self.phrase_share)
        rows = measures.select(list(MEASURES)).iter_rows()
        signs = [None if row[0] is None else loop_told(Loops(*row), limits) for row in rows]
        return told_of("answer", pl.DataFrame({"sign": signs}, schema={"sign": pl.String}))
