"""Cap: at most so many records of each group, so that what a model writes most does not fill the set."""

import re
from typing import ClassVar

import polars as pl
from pydantic import Field, field_validator

from tuneworks.factory.record import REWARD
from tuneworks.filters.embedding.encoder import MINILM, check_encoder, embed
from tuneworks.filters.embedding.inverted_file import require_faiss
from tuneworks.filters.filter import Filter
from tuneworks.filters.selection.clusters import cluster_of
from tuneworks.filters.selection.nearest import column
from tuneworks.filters.selection.ranking import ranking
from tuneworks.filters.strata import kind_of_task
from tuneworks.filters.verb_object import verb_object
from tuneworks.filters.words import fact, instruction

GROUPS = {
    "source": "source is",
    "kind": "kind of task is",
    "verb": "verb is",
    "verb_object": "verb and object are",
    "cluster": "cluster is",
}


class Cap(Filter):
    """Keep at most so many records of each group: the better-rewarded ones, else by draw.

    The draw is the order of the records' ids, which are hashes: it does not depend on the order of rows. Records
    that are in no group (without the fact, without a verb) stay.
    """

    kind: ClassVar[str] = "cap"
    measured_by: ClassVar[tuple[str, ...] | None] = ("per", "model")

    most: int = Field(ge=1)
    """How many records of a group may stay."""
    per: str = "source"
    """What makes a group: `source`, `kind` (of task), `verb` or `verb_object` of the instruction, `cluster` (of its
    embedding), or a fact, such as `meta.topic`."""
    clusters: int = Field(default=100, ge=1)
    """With `per: cluster`, how many clusters the records are divided into."""
    model: str = MINILM
    """With `per: cluster`, whose embeddings: `minilm`, a folder or a Hub id of sentence-transformers."""

    @field_validator("per")
    @classmethod
    def _known(cls, per: str) -> str:
        if per not in GROUPS and not re.fullmatch(r"meta\.\w+", per):
            raise ValueError(f"per is {per!r}; write {', '.join(GROUPS)}, or meta. and the name of a fact: meta.topic")
        return per

    def asks_model(self) -> bool:
        return self.per == "cluster"

    def check(self) -> None:
        if self.per == "cluster":
            check_encoder(self.model)
            require_faiss("cap per cluster")

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        made = table.select("id", reward=ranking(REWARD))
        if self.per == "cluster":
            vectors = embed(table.select(text=instruction())["text"].to_list(), self.model)
            return made.with_columns(embedding=column(vectors))
        return made.with_columns(table.select(group=self._group()))

    def _group(self) -> pl.Expr:
        if self.per.startswith("verb"):
            read = _verb if self.per == "verb" else _verb_object
            return instruction().map_elements(read, return_dtype=pl.String)
        if self.per == "kind":
            return kind_of_task().replace("", None)
        return pl.col("source") if self.per == "source" else fact(self.per.removeprefix("meta."))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        rows = self._grouped(measures).with_row_index("row").filter(pl.col("group").is_not_null())
        large = rows.with_columns(size=pl.len().over("group")).filter(pl.col("size") > self.most)
        by_turn = large.sort("reward", "id", descending=[True, False], nulls_last=True)
        placed = by_turn.with_columns(place=pl.int_range(1, pl.len() + 1).over("group"))
        over = placed.filter(pl.col("place") > self.most).select("row", reason=self._reason())
        return measures.select(pl.row_index("row")).join(over, on="row", how="left", maintain_order="left")["reason"]

    def _grouped(self, measures: pl.DataFrame) -> pl.DataFrame:
        if self.per != "cluster":
            return measures
        rows = measures.with_row_index("row").sort("id")
        found = rows.with_columns(group=pl.Series(cluster_of(rows["embedding"].to_numpy(), self.clusters)))
        return found.sort("row").select("id", "reward", pl.col("group").cast(pl.String))

    def _reason(self) -> pl.Expr:
        what = GROUPS.get(self.per, f"{self.per.removeprefix('meta.')} is")
        how = pl.format("by reward ({})", pl.col("reward").round_sig_figs(4)).fill_null("by draw")
        said = f"number {{}} of {{}} records whose {what} {{}}, {{}}; {self.most:,} stay"
        return pl.format(said, "place", "size", pl.format('"{}"', "group"), how)


def _verb(text: str) -> str | None:
    read = verb_object(text)
    return read and read[0]


def _verb_object(text: str) -> str | None:
    read = verb_object(text)
    return read and " ".join(read).strip()
