"""Rows of the view `sft` as tokens, with where their answers begin."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tuneworks.trainers.masks import encode
from tuneworks.trainers.trials.lessons import LONGEST, Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Encodings:
    rows: list[Encoded]
    places: list[int]
    """Where each row stands in its file."""
    cut: int
    """Rows whose answer is cut at the longest length that is read."""
    dropped: int
    """Rows of whose answer nothing is left there."""

    @property
    def answered(self) -> int:
        return sum(row.answered for row in self.rows)


def encoded(file: Path, tokenizer: "PreTrainedTokenizerBase") -> Encodings:
    rows: list[Encoded] = []
    places: list[int] = []
    cut = dropped = 0
    for place, row in enumerate(pl.read_parquet(file).iter_rows(named=True)):
        tokens, start = encode(tokenizer, row["prompt"], row["completion"])
        if start >= min(len(tokens), LONGEST):
            dropped += 1
            continue
        cut += len(tokens) > LONGEST
        rows.append(Encoded(row["id"], tokens[:LONGEST], start))
        places.append(place)
    return Encodings(rows, places, cut, dropped)
