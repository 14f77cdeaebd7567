"""Plain text carried beside the rows: a share of all training tokens, drawn from a source of documents.

Fine-tuning on such a share along with the rows keeps a model from forgetting how to write (the loss that InstructGPT
mixes in, arXiv:2203.02155).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.filters.words import asked
from tuneworks.pipelines.dataset.membership import Mask
from tuneworks.pipelines.mixing.lengths import counted, counter
from tuneworks.trainers.plan import PRETRAINING as PRETRAINING

TEXTS = pl.Schema({"id": pl.String(), "text": pl.String()})

SLICE = 2_000
"""Texts that are counted at a time, until there are enough."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What was carried, in tokens of the mixture's tokenizer."""

    rows: int
    tokens: int
    wanted: int
    """Fewer were carried where the source has no more."""
    beside: int
    """Tokens of the records that are trained on."""


def write_texts(
    documents: pl.LazyFrame, records: pl.LazyFrame, trained: Mask, share: float, tokenizer: str, dice: Dice, into: Path
) -> Texts:
    """Write whole texts in the order of a draw, up to the one with which their tokens come nearest to the share."""
    beside = int(counted(records, tokenizer).filter(pl.Series(trained)).sum())
    wanted = round(share / (1 - share) * beside)
    rows = int(documents.select(pl.len()).collect().item())
    order = dice.random("texts").sample(range(rows), rows)
    drawn, tokens = _drawn(documents, order, wanted, tokenizer)
    texts = documents.select("id", text=asked())
    mask = np.zeros(rows, dtype=bool)
    mask[drawn] = True
    if drawn:
        into.parent.mkdir(parents=True, exist_ok=True)
        texts.filter(pl.Series(mask)).sink_parquet(into)
    return Texts(len(drawn), tokens, wanted, beside)


def _drawn(documents: pl.LazyFrame, order: list[int], wanted: int, tokenizer: str) -> tuple[list[int], int]:
    """The first of the order whose tokens come nearest to the amount wanted, and their tokens."""
    count, taken, tokens = counter(tokenizer), list[int](), 0
    texts = documents.select(text=asked()).collect()["text"]
    for at in range(0, len(order), SLICE):
        places = order[at : at + SLICE]
        for place, length in zip(places, count(texts.gather(places).to_list()), strict=True):
            if tokens + length - wanted >= wanted - tokens:
                return taken, tokens
            taken.append(place)
            tokens += length
    return taken, tokens
