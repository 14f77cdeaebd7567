"""Answers that are none: they decline, speak of themselves as a model, or leave a code block open."""

from typing import ClassVar

import polars as pl
from pydantic import Field

from tuneworks.factory.wording import refusal, self_reference, unbalanced_fences
from tuneworks.factory.wording.refusals import OPENING
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.signs import answers, marked, told_of


class Refusal(Filter):
    """Drop records whose best answer opens by declining the task."""

    kind: ClassVar[str] = "refusal"
    by_process: ClassVar[bool] = True

    opening: int = Field(default=OPENING, ge=1)
    """Characters of the answer's beginning in which a refusal is looked for."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return marked(answers(table), lambda answer: refusal(answer, self.opening))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return told_of("answer", measures)


class SelfReference(Filter):
    """Drop records whose best answer speaks of itself as a model."""

    kind: ClassVar[str] = "self_reference"
    by_process: ClassVar[bool] = True

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return marked(answers(table), self_reference)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return told_of("answer", measures)


class CodeFences(Filter):
    """Drop records whose best answer opens a code block that it never closes."""

    kind: ClassVar[str] = "code_fences"
    by_process: ClassVar[bool] = True

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return marked(answers(table), unbalanced_fences)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return told_of("answer", measures)
