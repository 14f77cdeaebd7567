"""What of a dataset's records is counted for its card: lengths, turns, languages, rewards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tuneworks.filters.scripts import LANGUAGES
from tuneworks.filters.words import asked
from tuneworks.pipelines.report.features import MOST_READ, SCHEMA, counted, languages
from tuneworks.pipelines.stages import rows_in, slices

COUNTED = {
    "prompt_words": "words of the prompt",
    "answer_words": "words of the best answer",
    "turns": "user turns",
    "best": "reward of the best answer",
}

RARE = 0.01
"""Languages of a smaller share of the records do not stand in the card."""


@dataclass(frozen=True, slots=True)
class Counted:
    table: pl.DataFrame
    """A row for each record."""
    languages: Mapping[str, float]
    """Shares by ISO 639-1 code, of at most MOST_READ records, the most common first."""


def counted_records(records: Path) -> Counted:
    every = -(-max(rows_in(records), 1) // MOST_READ)
    facts, told = [SCHEMA.to_frame()], [pl.Series("language", [], dtype=pl.String)]
    for table in slices([records]):
        facts.append(counted(table))
        told.append(languages(table.gather_every(every).select(asked()).to_series()))
    named = pl.concat([one.alias("language") for one in told])
    shares = named.value_counts(normalize=True, name="share").sort("share", "language", descending=[True, False])
    known = {code: share for code, share in shares.iter_rows() if code in LANGUAGES and share >= RARE}
    return Counted(pl.concat(facts), known)


def quantiles(table: pl.DataFrame) -> list[tuple[str, Sequence[str]]]:
    """Of each thing counted its 5th, 50th and 95th percentile, and the largest."""
    lines: list[tuple[str, Sequence[str]]] = []
    for column, name in COUNTED.items():
        values = table[column].drop_nulls()
        if values.len():
            at = [values.quantile(share, "nearest") for share in (0.05, 0.5, 0.95, 1.0)]
            lines.append((name, [f"{value:,.4g}" for value in at if value is not None]))
    return lines
