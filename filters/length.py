"""Length: the number of words a prompt, and an answer, may have."""

from typing import ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from tuneworks.filters.filter import Filter
from tuneworks.filters.words import answered, asked, word_count


class Length(Filter):
    """Drop records whose prompt, or best answer, has too few or too many words.

    A word is a run of anything but white space; in scripts written without spaces (Chinese, Japanese, Thai)
    each character is a word. Of a prompt the last user message counts. Records may have no answer.
    """

    kind: ClassVar[str] = "length"

    min_words: int = Field(default=3, ge=0)
    """Fewest words of the prompt."""
    max_words: int = Field(default=150, ge=0)
    """Most words of the prompt."""
    min_answer_words: int | None = Field(default=None, ge=0)
    """Fewest words of the best answer; unset, an answer may be as short as it likes, even empty."""
    max_answer_words: int | None = Field(default=None, ge=0)
    """Most words of the best answer; unset, it may be as long as it likes."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_words < self.min_words:
            raise ValueError(f"max_words {self.max_words} is below min_words {self.min_words}: no prompt would stay")
        low, high = self.min_answer_words, self.max_answer_words
        if low is not None and high is not None and high < low:
            raise ValueError(f"max_answer_words {high} is below min_answer_words {low}: no answer would stay")
        return self

    def measured_options(self) -> dict[str, object]:
        """Answers are counted only where there is a limit on them."""
        return {"answers": (self.min_answer_words, self.max_answer_words) != (None, None)}

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        answers = word_count(answered()) if self.measured_options()["answers"] else pl.lit(None, dtype=pl.UInt32)
        return table.select(words=word_count(asked()), answer_words=answers)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        reason = pl.coalesce(
            _beyond("words", "the prompt", self.min_words, self.max_words),
            _beyond("answer_words", "the best answer", self.min_answer_words, self.max_answer_words),
        )
        return measures.select(reason=reason).to_series()


def _beyond(column: str, what: str, low: int | None, high: int | None) -> pl.Expr:
    """What is wrong with a number of words; null where nothing is, or where there is no number."""
    words, reason = pl.col(column), pl.lit(None, dtype=pl.String)
    if low is not None:
        reason = pl.when(words < low).then(pl.format(f"the word count of {what} is {{}}, below {low}", words))
    if high is not None:
        many = pl.format(f"the word count of {what} is {{}}, above {high}", words)
        reason = pl.coalesce(reason, pl.when(words > high).then(many))
    return reason
