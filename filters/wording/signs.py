"""The two halves of a filter by a sign in the wording: measuring is one call of the sign on each row's texts."""

from collections.abc import Callable, Iterator

import polars as pl

from tuneworks.filters.words import answered, asked, fact, instruction

SIGN = "sign"
"""The column of what a sign says: a phrase with the number that decided, or null."""


def instructions(table: pl.DataFrame) -> list[str]:
    """The fact "instruction" of each record where it has one, else its last user message."""
    return table.select(instruction()).to_series().to_list()


def answers(table: pl.DataFrame) -> list[str | None]:
    return table.select(answered()).to_series().to_list()


def answers_with_given(table: pl.DataFrame) -> Iterator[tuple[str | None, str, str, str | None]]:
    """The best answer of each record with what it was given: the last user message, its instruction, its input."""
    return table.select(answered(), asked=asked(), instruction=instruction(), input=fact("input")).iter_rows()


def marked(texts: list[str] | list[str | None], sign: Callable[[str], str | None]) -> pl.DataFrame:
    """What the sign says of each text; of none it says nothing."""
    return pl.DataFrame({SIGN: [None if t is None else sign(t) for t in texts]}, schema={SIGN: pl.String})


def told_of(what: str, measures: pl.DataFrame, sign: str = SIGN) -> pl.Series:
    """The reasons, which name the text that was judged."""
    return measures.select(reason=pl.format(f"the {what} {{}}", pl.col(sign))).to_series()
