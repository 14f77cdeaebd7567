"""Diversity: choose so many records that are good and differ, instead of the best ones, which are often alike."""

from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from tuneworks.factory.record import REWARD
from tuneworks.filters.embedding.encoder import MINILM, check_encoder, embed
from tuneworks.filters.filter import Filter
from tuneworks.filters.selection.facility_location import facility_location
from tuneworks.filters.selection.farthest_first import farthest_first
from tuneworks.filters.selection.nearest import Rows, Similarities, Vectors, column, nearest
from tuneworks.filters.selection.ranking import ranking
from tuneworks.filters.selection.score_first import score_first
from tuneworks.filters.words import answered, conversation, instruction


class Diversity(Filter):
    """Keep so many records that are good and differ from each other.

    Similarity is the cosine of sentence embeddings. Where no more records come in than are wanted, all stay, but for
    those that `score_first` finds too alike. What stays does not depend on the order of rows; ties go to the lower id.
    """

    kind: ClassVar[str] = "diversity"
    measured_by: ClassVar[tuple[str, ...] | None] = ("score", "model", "on")

    records: int | None = Field(default=None, ge=1)
    """How many records are wanted. Give this or `share`."""
    share: float | None = Field(default=None, gt=0, le=1)
    """Which share of the records is wanted, such as 0.1."""
    by: Literal["score_first", "facility_location", "farthest_first"] = "score_first"
    """score_first: the best-scored, past those too like a better one (DEITA); facility_location: those that cover all
    records best, whatever their score; farthest_first: the best-scored, then the farthest from all chosen."""
    max: float = Field(default=0.9, gt=0, le=1)
    """With `score_first`, the highest cosine to a better-scored record that stays."""
    score: str = REWARD
    """What ranks: a score of the best answer, or a fact that is a number. Records without it come last."""
    model: str = MINILM
    """Whose embeddings: `minilm`, a folder or a Hub id of sentence-transformers."""
    on: Literal["instruction", "prompt", "prompt_and_answer"] = "instruction"
    """What is compared: the fact "instruction", else the last user message; all but system messages; or the best answer
    as well."""

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.records is None) == (self.share is None):
            raise ValueError("write how many stay, either as records (such as 1000) or as share (such as 0.1)")
        return self

    def asks_model(self) -> bool:
        return True

    def check(self) -> None:
        check_encoder(self.model)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        answer = pl.concat_str(conversation(), answered().fill_null(""), separator="\n")
        text = {"instruction": instruction(), "prompt": conversation(), "prompt_and_answer": answer}[self.on]
        vectors = embed(table.select(text=text)["text"].to_list(), self.model)
        return table.select("id", score=ranking(self.score)).with_columns(embedding=column(vectors))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return self.verdicts(measures)["reason"]

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        """Of a row that goes the `nearest` selected record, and their cosine as `score`; with `score_first` only of
        those that are too alike, and it is the nearest of the better-scored."""
        by_score = ["score"] if self.by == "score_first" else []
        rows = measures.with_row_index("row")
        rows = rows.sort(*by_score, "id", descending=[*(True for _ in by_score), False], nulls_last=True)
        vectors = rows["embedding"].to_numpy()
        count = self.records or max(1, round((self.share or 1) * len(vectors)))
        if self.by == "score_first":
            decided = self._down_from_the_best(rows, vectors, count)
        elif len(vectors) > count:
            decided = self._spread(rows, vectors, count)
        else:
            decided = _beside(rows, np.arange(0), np.arange(0), np.empty(0, dtype=np.float32), pl.lit(""))
        return decided.sort("row").select("reason", "nearest", score="cosine")

    def _down_from_the_best(self, rows: pl.DataFrame, vectors: Vectors, count: int) -> pl.DataFrame:
        chosen, rivals, cosines = score_first(vectors, count, self.max)
        passed = np.setdiff1d(np.arange(len(rivals)), chosen)
        rated = pl.format("has the {} {}", pl.lit(self.score), _short("rated"))
        alike = pl.format(
            "the cosine with the selected record {}, which {}, is {}, over {}",
            "nearest", rated.fill_null(f"has no {self.score}"), _short("cosine"), pl.lit(self.max),
        )  # fmt: skip
        decided = _beside(rows, passed, rivals[passed], cosines[passed], alike)
        own = pl.format(f"its {self.score} is {{}}", rows["score"].round_sig_figs(4)).fill_null(
            f"it has no {self.score}"
        )
        full = pl.format(f"{{}}, and the {count:,} records that were wanted come before it", own)
        behind = np.arange(len(vectors)) >= len(rivals)
        return decided.with_columns(reason=pl.when(pl.Series(behind)).then(full).otherwise("reason"))

    def _spread(self, rows: pl.DataFrame, vectors: Vectors, count: int) -> pl.DataFrame:
        if self.by == "facility_location":
            chosen, what = facility_location(vectors, count), "that cover all best"
        else:
            best = rows["score"].fill_null(-np.inf).arg_max()
            chosen, what = farthest_first(vectors, count, best or 0), "farthest apart"
        chosen = np.sort(chosen)
        passed = np.setdiff1d(np.arange(len(vectors)), chosen)
        at, cosines = nearest(vectors[passed], vectors[chosen])
        said = pl.format(
            f"not among the {count:,} records {what}; the cosine with the nearest of them, {{}}, is {{}}",
            "nearest", _short("cosine"),
        )  # fmt: skip
        return _beside(rows, passed, chosen[at], cosines, said)


def _beside(rows: pl.DataFrame, passed: Rows, others: Rows, cosines: Similarities, reason: pl.Expr) -> pl.DataFrame:
    """All rows with the `nearest` record, its `rated` score, the `cosine` with it and the reason; null but for
    `passed`, each of which was held against one of `others`."""
    held = pl.DataFrame({"at": passed, "nearest": rows["id"].gather(others), "rated": rows["score"].gather(others)})
    held = held.with_columns(cosine=pl.Series(cosines, dtype=pl.Float64)).with_columns(reason=reason)
    places = rows.select("row").with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
    return places.join(held, on="at", how="left", maintain_order="left")


def _short(name: str) -> pl.Expr:
    return pl.col(name).round_sig_figs(4)
