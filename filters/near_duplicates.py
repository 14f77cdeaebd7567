"""Near duplicates: drop records that share too many word n-grams with one that stays.

The Jaccard similarity of two sets of n-grams (Broder 1997, "On the resemblance and containment of documents") is the
share of all their n-grams that both have. It is computed exactly for every pair that can be above the limit, where
MinHash would estimate it.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from tuneworks.factory.overlap.join import cross_join, self_join
from tuneworks.factory.overlap.tokens import bags_of, shingles
from tuneworks.filters.filter import Filter
from tuneworks.filters.keep_first import rivals
from tuneworks.filters.reference import check_references, read_references, reference_files
from tuneworks.filters.words import answered, conversation, instruction

_NEAR = pl.Schema({"row": pl.UInt32(), "nearest": pl.String(), "score": pl.Float64()})


class NearDuplicates(Filter):
    """Drop records that share too many word n-grams with an earlier record that stays, or with another set.

    Words are those of any script, in lower case; each Chinese or Japanese character is one. A text shorter than an
    n-gram counts as one n-gram; texts without words are no duplicates.
    """

    kind: ClassVar[str] = "near_duplicates"
    measured_by: ClassVar[tuple[str, ...]] = ("on",)

    max: float = Field(default=0.7, gt=0, le=1)
    """Highest Jaccard similarity to a record that stays; a record at exactly this stays too."""
    ngram: int = Field(default=3, ge=1)
    """Words in an n-gram."""
    on: Literal["instruction", "prompt", "prompt_and_answer"] = "prompt_and_answer"
    """What is compared: the fact "instruction", else the last user message; or all but system messages; or these and
    the best answer. With other sets only instructions, or prompts, are compared."""
    against: tuple[str, ...] = ()
    """Other sets, whose prompts no record may be near: `builtin`, files, FILE#COLUMN, hub:OWNER/NAME@SPLIT#COLUMN."""

    def check(self) -> None:
        check_references(self.against)

    def reads(self) -> tuple[str, ...]:
        return reference_files(self.against)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        prompt = instruction() if self.on == "instruction" else conversation()
        answer = answered() if self.on == "prompt_and_answer" else pl.lit(None, dtype=pl.String)
        return table.select("id", prompt=prompt, answer=answer)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return self.verdicts(measures)["reason"]

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        text = pl.concat_str("prompt", pl.col("answer").fill_null(""), separator="\n")
        rows = measures.select("id", "prompt", text=text).with_row_index("row")
        known = self._known(rows["prompt"])
        new = self._new(rows.join(known, on="row", how="anti", maintain_order="left"))
        kept = new.with_columns(to=pl.format("the kept record {}", "nearest"))
        near = pl.concat([known.with_columns(to="nearest"), kept])
        reason = pl.format(f"Jaccard {{}} to {{}} is above {self.max}", pl.col("score").round(3), "to")
        near = near.select("row", "nearest", "score", reason=reason)
        found = rows.select("row").join(near, on="row", how="left", maintain_order="left")
        return found.select("reason", "nearest", "score")

    def _known(self, prompts: pl.Series) -> pl.DataFrame:
        """Of each row too near to another set the nearest text there, of equals the first."""
        references = read_references(self.against)
        if not references:
            return _NEAR.to_frame()
        said = [r.said(at, self.on) for r in references for at in range(len(r.texts))]
        places = pl.Series([r.place(at) for r in references for at in range(len(r.texts))])
        bags = shingles(bags_of(pl.concat([pl.Series(said), prompts])), self.ngram)
        pairs = cross_join(bags.part(len(said), len(bags)), bags.part(0, len(said)), "jaccard", self.max)
        near = pairs.filter(pl.col("score") > self.max).sort("row", "score", "other", descending=[False, True, False])
        near = near.unique("row", keep="first", maintain_order=True)
        return near.select("row", nearest=places.gather(near["other"]), score="score")

    def _new(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Of each row too near to one that stays that one. Texts are compared once: a copy goes as the first of its
        text does, or because of it, so that many copies make no more pairs than one."""
        first = rows.filter(pl.col("text").is_first_distinct())
        bags = shingles(bags_of(first["text"]), self.ngram)
        pairs = self_join(bags, "jaccard", self.max).filter(pl.col("score") > self.max)
        near = rivals(pairs, range(len(bags)), len(bags))
        firsts = first.select("text", first="id", at="row").with_columns(
            speaks=np.diff(bags.starts) > 0, rival=first["id"].gather(near["rival"]), score=near["score"]
        )
        copy = pl.col("speaks") & (pl.col("row") != pl.col("at")) & (self.max < 1)
        nearest = pl.coalesce("rival", pl.when(copy).then("first"))
        decided = rows.join(firsts, on="text", maintain_order="left")
        return decided.select("row", nearest=nearest, score=pl.col("score").fill_null(1.0)).drop_nulls("nearest")
