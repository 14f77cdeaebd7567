"""Decontamination: drop records that give away a test set.

A record goes when it holds too many of a test item's word n-grams. GPT-3 searched for n-grams of 8 to 13 words, by the
length of the test's items (arXiv:2005.14165, appendix C); Tülu 3, which trains on instructions, for 8, and lets a
record go that shares them with more than half of an item (arXiv:2411.15124, section 3.2). With an encoder, a record
goes also when its instruction says the same as a test item in other words.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tuneworks.factory.overlap.join import PAIRS, cross_join
from tuneworks.factory.overlap.tokens import Bags, bags_of, shingles
from tuneworks.filters.embedding.encoder import check_encoder, embed
from tuneworks.filters.filter import Filter
from tuneworks.filters.reference import Reference, check_references, read_references, reference_files
from tuneworks.filters.words import asked

FLOOR = 0.2
"""Smaller shares of a test item are not looked for, and `max` cannot go there."""

FEWEST = 5
"""An item of fewer words, such as "Yes", contaminates nothing."""

BLOCK = 1024
"""Rows whose cosines to all test items are in memory at once."""


class Decontaminate(Filter):
    """Drop records that hold much of an item of a test set, or ask the same in other words.

    An item shorter than an n-gram counts as one n-gram if it has at least 5 words, or as many as an n-gram has; shorter
    ones are passed over. Words are those of any script, in lower case; each Chinese or Japanese character is one.
    """

    kind: ClassVar[str] = "decontaminate"
    measured_by: ClassVar[tuple[str, ...]] = ("against", "ngram", "on", "model")
    slice_rows: ClassVar[int] = 50_000  # each slice is joined with the whole of the test sets

    against: tuple[str, ...] = Field(min_length=1)
    """The test sets: files, FILE#COLUMN, hub:OWNER/NAME[/CONFIG][@SPLIT][#COLUMN]."""
    ngram: int = Field(default=8, ge=1)
    """Words in an n-gram."""
    max: float = Field(default=0.5, ge=FLOOR, le=1)
    """Largest share of an item's n-grams that a record may hold; a record at exactly this stays."""
    on: Literal["prompt_and_answers", "prompt"] = "prompt_and_answers"
    """Which texts of a record are searched: all, or the prompt's."""
    model: str | None = None
    """The encoder that compares the last user message with each item: `minilm`, a folder or a Hub id."""
    similarity: float | None = Field(default=None, ge=0, le=1)
    """With a model, the highest cosine that stays."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.model is None) != (self.similarity is None):
            raise ValueError("model and similarity go together; write both, such as model: minilm, similarity: 0.9")
        return self

    def asks_model(self) -> bool:
        return self.model is not None

    def check(self) -> None:
        check_references(self.against)
        if self.model is not None:
            check_encoder(self.model)

    def reads(self) -> tuple[str, ...]:
        return reference_files(self.against)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        references = tuple(read_references(self.against))
        said = _said("prompt", "content")
        if self.on == "prompt_and_answers":
            said = pl.concat_str(said, _said("answers", "text"), separator="\n")
        near = _contained(table.select(said).to_series(), references, self.ngram)
        alike = pl.DataFrame(schema={"row": pl.UInt32, "cosine": pl.Float64, "similar": pl.String})
        if self.model is not None:
            alike = _alike(table.select(asked()).to_series(), references, self.model)
        rows = table.select("id").with_row_index("row")
        for found in (near, alike):
            rows = rows.join(found, on="row", how="left", maintain_order="left")
        return rows.drop("row")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return self.verdicts(measures)["reason"]

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        """Of a record that stays, too, the nearest item where one is known."""
        contained, cosine = pl.col("contained"), pl.col("cosine")
        holds = pl.format(f"it holds {{}} of the n-grams of {{}}, above {self.max}", contained.round(3), "item")
        says = pl.format(f"the cosine to {{}} is {{}}, above {self.similarity}", "similar", cosine.round(3))
        limit = 1.0 if self.similarity is None else self.similarity
        held, alike = contained > self.max, cosine > limit
        by_words = held.fill_null(False) | (contained.is_not_null() & ~alike.fill_null(False))
        return measures.select(
            reason=pl.coalesce(pl.when(held).then(holds), pl.when(alike).then(says)),
            nearest=pl.when(by_words).then("item").otherwise("similar"),
            score=pl.when(by_words).then(contained).otherwise(cosine),
        )


def _said(column: str, field: str) -> pl.Expr:
    """All texts of a list, one after the other."""
    texts = pl.col(column).list.eval(pl.element().struct.field(field).fill_null(""))
    return texts.list.join("\n").fill_null("")


def _contained(texts: pl.Series, references: Sequence[Reference], n: int) -> pl.DataFrame:
    """For each text the item of which it holds the largest share, of equals the first; none below FLOOR."""
    items = [text for reference in references for text in reference.texts]
    places = pl.Series([r.place(at) for r in references for at in range(len(r.rows))])
    bags = bags_of(pl.concat([pl.Series(items), texts]))
    known, rows = bags.part(0, len(items)), bags.part(len(items), len(bags))
    pairs = pl.concat(_pairs(rows, known, n))
    best = pairs.sort("row", "score", "other", descending=[False, True, False])
    best = best.unique("row", keep="first", maintain_order=True)
    return best.select("row", contained="score", item=places.gather(best["other"]))


def _pairs(rows: Bags, items: Bags, n: int) -> list[pl.DataFrame]:
    """Pairs of a text and an item it holds a share of. Items shorter than an n-gram are looked for as a whole, with all
    others of their length."""
    sizes = np.diff(items.starts)
    found = [PAIRS.to_frame()]
    for words in range(min(FEWEST, n), n + 1):
        places = np.flatnonzero(sizes == words if words < n else sizes >= n)
        if not len(places):
            continue
        together = shingles(_joined(items.rows(places), rows), words)
        first, rest = together.part(0, len(places)), together.part(len(places), len(together))
        pairs = cross_join(rest, first, "containment", FLOOR)
        found.append(pairs.with_columns(other=pl.Series(places, dtype=pl.UInt32).gather(pairs["other"])))
    return found


def _joined(first: Bags, second: Bags) -> Bags:
    starts = np.concatenate([first.starts, second.starts[1:] + first.starts[-1]])
    return Bags(np.concatenate([first.tokens, second.tokens]), starts)


def _alike(texts: pl.Series, references: tuple[Reference, ...], model: str) -> pl.DataFrame:
    """For each text the item with the highest cosine, of equals the first; none where nothing is asked."""
    asks = (texts.str.strip_chars() != "").arg_true()
    items, places = _embedded(references, model)
    vectors = embed(texts.gather(asks).to_list(), model)
    blocks = [(vectors[at : at + BLOCK] @ items.T).argmax(axis=1) for at in range(0, len(vectors), BLOCK)]
    best = np.concatenate([np.zeros(0, np.int64), *blocks])
    # Of the pair alone, so that the last bits do not depend on which rows were multiplied together.
    cosine = np.einsum("ij,ij->i", vectors.astype(np.float64), items[best].astype(np.float64))
    return pl.DataFrame({"row": asks, "cosine": cosine, "similar": places.gather(best)}).cast({"row": pl.UInt32})


@lru_cache(maxsize=2)
def _embedded(references: tuple[Reference, ...], model: str) -> tuple[NDArray[np.float32], pl.Series]:
    """A vector and the first place of each different text."""
    first: dict[str, str] = {}
    for reference in references:
        for at, text in enumerate(reference.texts):
            first.setdefault(text, reference.place(at))
    return embed(list(first), model), pl.Series(list(first.values()))
