"""ROUGE-L: drop instructions too close to one that stays (Self-Instruct, arXiv:2212.10560, section 2.2)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from tuneworks.factory.overlap.bounds import Numbers
from tuneworks.factory.overlap.join import cross_join, self_join
from tuneworks.factory.overlap.tokens import Bags, bags_of, first_equal
from tuneworks.filters.filter import Filter
from tuneworks.filters.keep_first import rivals
from tuneworks.filters.reference import check_references, read_references, reference_files
from tuneworks.filters.words import conversation, instruction

LOWEST = 0.3
"""`max` cannot go below: there most short sentences are near one another."""


class Rouge(Filter):
    """Drop records whose instruction is too similar to that of an earlier record that stays, or to another set.

    Only records that stay count against later ones. Instances of one task are exempt from each other: records
    with the very same instruction that have a parent in common.
    """

    kind: ClassVar[str] = "rouge"
    measured_by: ClassVar[tuple[str, ...]] = ("on",)

    max: float = Field(default=0.7, ge=LOWEST, le=1)
    """Highest ROUGE-L to a record that stays; a record at exactly this stays too."""
    on: Literal["instruction", "prompt"] = "instruction"
    """What is compared: the fact "instruction", else the last user message; or all but system messages."""
    tokenizer: Literal["unicode", "ascii"] = "unicode"
    """unicode: words of any language; ascii: as the package rouge_score, which sees only a-z and 0-9."""
    against: tuple[str, ...] = ()
    """Other sets, whose prompts no record may be near: `builtin`, files, FILE#COLUMN, hub:OWNER/NAME@SPLIT#COLUMN."""

    def check(self) -> None:
        check_references(self.against)

    def reads(self) -> tuple[str, ...]:
        return reference_files(self.against)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        text = instruction() if self.on == "instruction" else conversation()
        return table.select("id", pl.col("parents").fill_null([]), text=text)

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return self.verdicts(measures)["reason"]

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        rows = measures.with_row_index("row").with_columns(first=pl.col("row").first().over("text"))
        texts = self._texts(rows.filter(pl.col("row") == pl.col("first")))
        copies = rows.filter(pl.col("row") != pl.col("first"))
        copies = copies.join(texts.rename({"row": "first"}), on="first", maintain_order="left")
        gone = pl.col("nearest").is_not_null()
        near = pl.concat([texts.filter(gone), copies.filter(gone).select(texts.columns)]).drop("silent")
        again = copies.filter(~gone & ~pl.col("silent")) if self.max < 1 else copies.clear()
        near = pl.concat([near, self._again(again.select("row", "first", "parents"), rows)])
        decided = rows.select("row").join(near, on="row", how="left", maintain_order="left")
        return decided.select(self._reason(decided), "nearest", "score")

    def _reason(self, decided: pl.DataFrame) -> pl.Series:
        scores = decided["score"].drop_nulls().unique()
        said = pl.col("score").replace_strict(scores, [f"{score:.3f}" for score in scores], return_dtype=pl.String)
        to = pl.when("kept").then(pl.format("the kept record {}", "nearest")).otherwise("nearest")
        return decided.select(reason=pl.format(f"ROUGE-L {{}} to {{}} is above {self.max}", said, to)).to_series()

    def _texts(self, first: pl.DataFrame) -> pl.DataFrame:
        """Verdicts on the first row of each text; `nearest` is null where it stays. Texts with the same tokens are
        compared once."""
        named, said = self._other_sets()
        bags = bags_of(pl.concat([pl.Series(said, dtype=pl.String), first["text"].cast(pl.String)]), self.tokenizer)
        others, bags = bags.part(0, len(said)), bags.part(len(said), len(bags))
        silent, alike = np.diff(bags.starts) == 0, first_equal(bags)
        places = np.flatnonzero((alike == np.arange(len(bags))) & ~silent)
        known = self._known(bags, places, others, named)
        new = self._new(bags, np.setdiff1d(places, known["place"].to_numpy()), first["id"])
        texts = first.select(
            "row", place=pl.Series(np.arange(len(bags))), alike=pl.Series(alike), silent=pl.Series(silent)
        )
        texts = texts.join(
            pl.concat([known, new]), left_on="alike", right_on="place", how="left", maintain_order="left"
        )
        equal = pl.col("nearest").is_null() & (pl.col("alike") != pl.col("place")) & ~pl.col("silent") & (self.max < 1)
        to = pl.struct(nearest=first["id"].gather(alike), score=pl.lit(1.0), kept=pl.lit(True))
        verdict = pl.when(equal).then(to).otherwise(pl.struct("nearest", "score", "kept"))
        return texts.select("row", "silent", verdict.alias("verdict")).unnest("verdict")

    def _other_sets(self) -> tuple[pl.Series, list[str]]:
        """The texts of the other sets, and how a reason names each."""
        references = read_references(self.against)
        named = [r.place(at) for r in references for at in range(len(r.texts))]
        said = [r.said(at, self.on) for r in references for at in range(len(r.texts))]
        return pl.Series(named, dtype=pl.String), said

    def _known(self, bags: Bags, places: Numbers, others: Bags, named: pl.Series) -> pl.DataFrame:
        """Of the texts at these places those too near to another set, and the nearest there, of equals the first."""
        near = cross_join(bags.rows(places), others, "rouge_l", self.max).filter(pl.col("score") > self.max)
        near = near.sort("row", "score", "other", descending=[False, True, False])
        near = near.unique("row", keep="first", maintain_order=True)
        place = pl.Series(places).gather(near["row"])
        return near.select(place=place, nearest=named.gather(near["other"]), score="score", kept=pl.lit(False))

    def _new(self, bags: Bags, places: Numbers, ids: pl.Series) -> pl.DataFrame:
        """Of the texts at these places those too near to one of them that stays, and the nearest that does."""
        pairs = self_join(bags.rows(places), "rouge_l", self.max).filter(pl.col("score") > self.max)
        near = rivals(pairs, range(len(places)), len(places)).with_columns(place=pl.Series(places)).drop_nulls()
        to = ids.gather(pl.Series(places).gather(near["rival"]))
        return near.select("place", nearest=to, score="score", kept=pl.lit(True))

    def _again(self, rows: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
        """Verdicts on those rows that say once more what an earlier row that stays says."""
        stay = self.on == "instruction"
        rivals = _first_strangers(rows, every["parents"]) if stay else rows.select("row", rival="first")
        ids = every["id"].gather(rivals["rival"])
        return rivals.select("row", nearest=ids, score=pl.lit(1.0), kept=pl.lit(True)).cast({"row": pl.UInt32})


def _first_strangers(rows: pl.DataFrame, parents: pl.Series) -> pl.DataFrame:
    """Of rows that have no parent in common with some earlier row of their text that stays the first such."""
    orphans = rows.filter(pl.col("parents").list.len() == 0).select("row", rival="first")
    kept: dict[int, _Instances] = {}
    found: list[tuple[int, int]] = []
    for row, first, names in rows.filter(pl.col("parents").list.len() > 0).iter_rows():
        family = frozenset(names)
        if first not in kept:
            kept[first] = _Instances()
            kept[first].add(first, frozenset(parents[first]))
        stranger = kept[first].stranger(family)
        if stranger is None:
            kept[first].add(row, family)
        else:
            found.append((row, stranger))
    return pl.concat([orphans, pl.DataFrame(found, schema=orphans.schema, orient="row")])


@dataclass(slots=True)
class _Instances:
    """Records of one text that stay: the first of each set of parents."""

    families: dict[frozenset[str], int] = field(default_factory=dict)
    parents: Counter[str] = field(default_factory=Counter)

    def add(self, row: int, family: frozenset[str]) -> None:
        if family not in self.families:
            self.families[family] = row
            self.parents.update(family)

    def stranger(self, family: Iterable[str]) -> int | None:
        """The earliest that has no parent in common with this family."""
        if any(self.parents[name] == len(self.families) for name in family):
            return None
        return next((row for other, row in self.families.items() if other.isdisjoint(family)), None)
