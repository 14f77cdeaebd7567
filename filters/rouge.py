"""ROUGE-L: drop instructions too close to one that stays (Self-Instruct, arXiv:2212.10560, section 2.2)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from tuneworks.factory.rouge import Pair, Tokens, ascii_tokens, pairs, unicode_tokens
from tuneworks.filters.filter import Filter
from tuneworks.filters.words import conversation, instruction

FLOOR = 0.4
"""Similarities below this are not written down, and `max` cannot go there."""

TOKENIZERS: dict[str, Tokens] = {"unicode": unicode_tokens, "ascii": ascii_tokens}

CHUNK = 100_000
"""Pairs held as Python objects before they become a frame, which takes a tenth of the memory."""

_PAIRS = {"row": pl.UInt32, "other": pl.UInt32, "score": pl.Float64}
_SIMILAR = pl.List(pl.Struct({"row": pl.UInt32, "id": pl.String, "score": pl.Float64}))


class Rouge(Filter):
    """Drop records whose instruction is too similar to that of an earlier record that stays.

    Only records that stay count against later ones. Instances of one task are exempt from each other: records
    with the very same instruction that have a parent in common.
    """

    kind: ClassVar[str] = "rouge"

    max: float = Field(default=0.7, ge=FLOOR, le=1)
    """Highest ROUGE-L to a record that stays; a record at exactly this stays too."""
    on: Literal["instruction", "prompt"] = "instruction"
    """What is compared: the fact "instruction", else the last user message; or all but system messages."""
    tokenizer: Literal["unicode", "ascii"] = "unicode"
    """unicode: words of any language; ascii: as the package rouge_score, which sees only a-z and 0-9."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        """For each row its number, the first row of the very same text, and earlier rows that are similar.

        Of rows with one text `similar` holds the first alone, and a row that is not the first of its text
        lists only that one: where all have one instruction, lists do not grow with the square of the rows.
        """
        text = instruction() if self.on == "instruction" else conversation()
        rows = table.select("id", pl.col("parents").fill_null([]), text=text).with_row_index("row")
        rows = rows.with_columns(same=pl.col("row").first().over("text"))
        near = self._near(rows)
        near = near.with_columns(id=rows["id"].gather(near["other"]))
        listed = pl.struct(pl.col("other").alias("row"), "id", "score").alias("similar")
        lists = near.group_by("row", maintain_order=True).agg(listed).cast({"similar": _SIMILAR})
        return (
            rows.drop("text")
            .join(lists, on="row", how="left", maintain_order="left")
            .with_columns(pl.col("similar").fill_null([]))
        )

    def _near(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Every pair (as in `_PAIRS`) among first rows, and every later row with the first of its text."""
        tokens = TOKENIZERS[self.tokenizer]
        first = pl.col("row") == pl.col("same")
        texts, numbers = rows.filter(first)["text"].to_list(), rows.filter(first)["row"]
        near = _frame(pairs(texts, FLOOR, tokens))
        near = near.with_columns(row=numbers.gather(near["row"]), other=numbers.gather(near["other"]))
        again = rows.filter(~first)
        spoken = [text for text in again["text"].unique() if tokens(text)]
        again = again.filter(pl.col("text").is_in(spoken))
        return pl.concat([near, again.select("row", other="same", score=pl.lit(1.0))])

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        near = self._too_near(measures)
        kept: dict[int, list[_Kept]] = defaultdict(list)
        reasons: list[str | None] = []
        for row, key, parents, same in measures.select("row", "id", "parents", "same").iter_rows():
            family = frozenset(parents or ()) if self.on == "instruction" else frozenset()
            rivals = [
                (score, -other.row, other.id)
                for text, score in near.get(same, ())
                for other in kept.get(text, ())
                if text != same or not family & other.family
            ]
            if rivals:
                score, _, rival = max(rivals)
                reasons.append(f"ROUGE-L {score:.3f} to the kept record {rival} is above {self.max}")
            else:
                reasons.append(None)
                if all(other.family != family for other in kept[same]):
                    kept[same].append(_Kept(row, key, family))
        return pl.Series("reason", reasons, dtype=pl.String)

    def _too_near(self, measures: pl.DataFrame) -> dict[int, list[tuple[int, float]]]:
        """For the first row of each text, the first rows of texts (its own too) with a score above `max`."""
        listed = measures.select("same", "similar").explode("similar").unnest("similar")
        close = listed.filter(pl.col("score") > self.max).select("same", "row", "score").unique(maintain_order=True)
        near: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for one, other, score in close.iter_rows():
            near[one].append((other, score))
            if one != other:
                near[other].append((one, score))
        return near


@dataclass(frozen=True, slots=True)
class _Kept:
    """The first record that stays of those with one text and one set of parents."""

    row: int
    id: str
    family: frozenset[str]


def _frame(found: Iterator[Pair]) -> pl.DataFrame:
    chunks = [pl.DataFrame(schema=_PAIRS)]
    while chunk := list(islice(found, CHUNK)):
        chunks.append(pl.DataFrame(chunk, schema=_PAIRS, orient="row"))
    return pl.concat(chunks)
