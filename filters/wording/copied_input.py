"""Answers that only say again what they were given."""

from typing import ClassVar

import polars as pl
from pydantic import Field

from tuneworks.factory.wording import same_text
from tuneworks.factory.wording.copying import PHRASE, copied_share
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.signs import answers_with_given, told_of


class CopiedInput(Filter):
    """Drop records whose best answer only says the prompt, the instruction or its input again, to the letter or nearly.

    Nearly counts for the prompt and the instruction alone: a corrected input is an answer.
    """

    kind: ClassVar[str] = "copied_input"
    by_process: ClassVar[bool] = True
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    max_share: float | None = Field(default=0.9, ge=0, le=1)
    """Most of the answer's phrases of three words that may stand in the prompt or the instruction, in an answer that
    holds its first and its last one. Null: only what is the same to the letter goes."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        rows = [
            (None, None)
            if answer is None
            else (says_again(answer, asked, told, given), max(copied_share(answer, text) for text in {asked, told}))
            for answer, asked, told, given in answers_with_given(table)
        ]
        return pl.DataFrame(rows, schema={"same": pl.String, "share": pl.Float64}, orient="row")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        nearly = pl.lit(None, pl.String) if self.max_share is None else _told(self.max_share)
        return told_of("answer", measures.select(sign=pl.coalesce("same", nearly)))


def _told(most: float) -> pl.Expr:
    said = f"says its request again: {{}} of its phrases of {PHRASE} words stand there, above {most}"
    return pl.when(pl.col("share") > most).then(pl.format(said, pl.col("share").round(3)))


def says_again(answer: str, *given: str | None) -> str | None:
    return next((reason for text in given if text and (reason := same_text(answer, text))), None)
