"""Semantic duplicates: drop records that say the same as a better or earlier one, in whatever words.

Similar is what a sentence encoder puts close together (SemDeDup, arXiv:2303.09540), compared exactly, pair by pair.
"""

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from tuneworks.factory.record import REWARD
from tuneworks.filters.embedding.encoder import MINILM, Vectors, check_encoder, embed
from tuneworks.filters.embedding.greedy import keep_apart
from tuneworks.filters.embedding.inverted_file import require_faiss
from tuneworks.filters.embedding.neighbours import nearest
from tuneworks.filters.filter import Filter
from tuneworks.filters.reference import check_references, read_references, reference_files
from tuneworks.filters.selection.ranking import ranking
from tuneworks.filters.words import answered, conversation, instruction

LOWEST = 0.5
"""`max` cannot go below: there most texts on one subject are near one another, and the pairs would fill the memory."""

_NEAR = pl.Schema(
    {"row": pl.UInt32(), "nearest": pl.String(), "score": pl.Float64(), "gone": pl.Boolean(), "to": pl.String()}
)


class SemanticDuplicates(Filter):
    """Drop records whose meaning is too close to that of a record that stays, or to a text of another set.

    Of two records the one whose best answer has the higher reward has the right to stay; then those without a reward,
    in order. Records without text are no duplicates.
    """

    kind: ClassVar[str] = "semantic_duplicates"
    measured_by: ClassVar[tuple[str, ...]] = ("on", "model", "against")

    max: float = Field(default=0.9, ge=LOWEST, le=1)
    """Highest cosine to a record that stays; a record at exactly this stays too."""
    on: Literal["instruction", "prompt", "prompt_and_answer"] = "instruction"
    """What is compared: the fact "instruction", else the last user message; or all but system messages; or these and
    the best answer. With other sets only instructions, or prompts, are compared."""
    model: str = MINILM
    """The encoder: `minilm`, a folder or a Hub id of sentence-transformers. It reads no more than so many tokens of a
    text, 256 in the case of minilm."""
    against: tuple[str, ...] = ()
    """Other sets, whose prompts no record may be near: `builtin`, files, FILE#COLUMN, hub:OWNER/NAME@SPLIT#COLUMN."""

    def asks_model(self) -> bool:
        return True

    def check(self) -> None:
        check_encoder(self.model)
        require_faiss("finding semantic duplicates")
        check_references(self.against)

    def reads(self) -> tuple[str, ...]:
        return reference_files(self.against)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        prompt = instruction() if self.on == "instruction" else conversation()
        texts = table.select("id", reward=ranking(REWARD), prompt=prompt, answer=answered().fill_null(""))
        both = pl.concat_str("prompt", "answer", separator="\n") if self.on == "prompt_and_answer" else pl.col("prompt")
        embedding = _embedded(texts.select(both).to_series(), self.model)
        measured = texts.select("id", "reward").with_columns(embedding=embedding)
        others = self._others()
        if not others:
            return measured
        said = embedding if self.on != "prompt_and_answer" else _embedded(texts["prompt"], self.model)
        return measured.hstack(_alike(said, others, self.model))

    def _others(self) -> dict[str, str]:
        """The different texts of the other sets, and the first place of each."""
        places: dict[str, str] = {}
        for reference in read_references(self.against):
            for at in range(len(reference.texts)):
                places.setdefault(reference.said(at, self.on), reference.place(at))
        return places

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return self.verdicts(measures)["reason"]

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        """Of a record that stays, too, the nearest other one that does."""
        rows = measures.with_row_index("row")
        known = self._known(rows)
        rest = rows.join(known, on="row", how="anti").filter(pl.col("embedding").is_not_null())
        new = self._new(rest.sort("reward", "row", descending=[True, False], nulls_last=True))
        near = pl.concat([known, new])
        reason = pl.format(f"cosine {{}} to {{}} is above {self.max}", pl.col("score").round(3), "to")
        near = near.select("row", "nearest", "score", reason=pl.when("gone").then(reason))
        found = rows.select("row").join(near, on="row", how="left", maintain_order="left")
        return found.select("reason", "nearest", "score")

    def _known(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows too near to another set, and the nearest text there."""
        if "item" not in rows.columns:
            return _NEAR.to_frame()
        near = rows.filter(pl.col("cosine") > self.max)
        return near.select("row", nearest="item", score="cosine", gone=pl.lit(True), to="item")

    def _new(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Verdicts on rows of which those with the right to stay are first."""
        decided = keep_apart(_matrix(rows["embedding"]), self.max)
        ids = rows["id"].gather(decided["nearest"])
        near = rows.select("row", nearest=ids, score=decided["score"], gone=decided["gone"])
        return near.with_columns(to=pl.format("the kept record {}", "nearest"))


def _embedded(texts: pl.Series, model: str) -> pl.Series:
    """The vector of each text as an array; null where there is no text."""
    said = (texts.str.strip_chars() != "").fill_null(False)
    vectors = embed(texts.filter(said).to_list(), model)
    rows = pl.DataFrame(
        {"row": said.arg_true(), "embedding": pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))}
    )
    return _beside(rows, len(texts))["embedding"]


def _matrix(embedding: pl.Series) -> Vectors:
    return np.ascontiguousarray(embedding.drop_nulls().to_numpy(), dtype=np.float32)


def _alike(said: pl.Series, texts: dict[str, str], model: str) -> pl.DataFrame:
    """For each row the one of `texts`, named by their values, with the highest cosine; null where nothing is said."""
    place, score = nearest(_matrix(said), _vectors(tuple(texts), model))
    items = pl.Series(list(texts.values())).gather(place)
    found = pl.DataFrame({"row": said.is_not_null().arg_true(), "item": items, "cosine": score.astype(np.float64)})
    return _beside(found, len(said)).select("item", "cosine")


def _beside(found: pl.DataFrame, rows: int) -> pl.DataFrame:
    """One row for each place, null where `found` has none of it."""
    every = pl.DataFrame({"row": np.arange(rows)}).cast({"row": found.schema["row"]})
    return every.join(found, on="row", how="left", maintain_order="left")


@lru_cache(maxsize=2)
def _vectors(texts: tuple[str, ...], model: str) -> Vectors:
    return embed(texts, model)
