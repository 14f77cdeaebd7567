"""Perplexity: how hard a record is for a model; too easy teaches nothing, too hard is often noise.

Measured are the perplexity of the best answer after its prompt, of the answer alone, and their ratio, the instruction
following difficulty (IFD, arXiv:2308.12032, 2402.00530): over 1, the prompt makes the answer less likely. Without a
model, how far zlib shrinks the answer stands in for it.
"""

import zlib
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.record import Record, best_answer, from_table
from tuneworks.factory.weights import SMOLLM2, locate
from tuneworks.filters.filter import Filter
from tuneworks.filters.strata import histogram_bin, kind_of_task, length_bucket, quantile, quotas
from tuneworks.filters.words import answered, word_count

Share = Annotated[float, Field(ge=0, le=1)]

MEASURES = pl.Schema(
    {
        "perplexity": pl.Float64(),
        "alone": pl.Float64(),
        "ifd": pl.Float64(),
        "zlib": pl.Float64(),
        "tokens": pl.UInt32(),
        "longest": pl.UInt32(),
    }
)


class Perplexity(Filter):
    """Drop the too easy and the too hard, compared within kind of task and length of answer."""

    kind: ClassVar[str] = "perplexity"

    by: Literal["perplexity", "ifd", "alone", "zlib"] = "perplexity"
    """What decides: the answer's perplexity after its prompt, `alone` without it, their ratio `ifd`, or `zlib`, the
    compressed share of the answer's bytes, which needs no model."""
    model: str = SMOLLM2
    """Whose perplexity: `smollm2`, a model's folder or a Hub id."""
    keep: tuple[Share, Share] = (0.1, 0.9)
    """The band of quantiles that stays, within each kind of task and length of answer."""
    max_ifd: float | None = Field(default=1.0, gt=0)
    """With `by: ifd`, most the ratio may be; over 1 the prompt makes the answer less likely."""
    histogram: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Instead of a band, the shares wanted in so many bins from easy to hard, such as [1, 1, 1, 1] for a flat one."""
    share: float = Field(default=0.5, gt=0, le=1)
    """With `histogram`, which share of each kind and length stays."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.keep[0] >= self.keep[1]:
            raise ValueError(f"keep goes from {self.keep[0]:g} to {self.keep[1]:g}: nothing would stay")
        if self.histogram and sum(self.histogram) == 0:
            raise ValueError("the shares of histogram are all 0: nothing would stay")
        return self

    def check(self) -> None:
        if self.by != "zlib":
            require_torch(f"perplexity with the model {self.model}")
            locate(self.model)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        zlib_share = answered().map_elements(compressed_share, return_dtype=pl.Float64)
        if self.by == "zlib":
            nothing = pl.DataFrame({name: [None] * table.height for name in MEASURES}, schema=MEASURES)
            made = nothing.with_columns(table.select(zlib=zlib_share, tokens=word_count(answered()).cast(pl.UInt32)))
        else:
            made = self._by_model(from_table(table)).with_columns(table.select(zlib=zlib_share))
        placed = made.with_columns(table.select("id", kind=kind_of_task()))
        return placed.with_columns(bucket=length_bucket(pl.col("tokens")))

    def _by_model(self, records: list[Record]) -> pl.DataFrame:
        from tuneworks.factory.engines.likelihood import Given, Likelihood

        try:
            scorer = Likelihood(self.model)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise EngineUnavailable(f"the model {self.model} cannot be loaded ({reason}); name another") from error
        rows: dict[int, Given] = {}
        tokens: list[int | None] = []
        for at, record in enumerate(records):
            answer = best_answer(record)
            given = scorer.answer(record.prompt, answer.text) if answer and answer.text.strip() else None
            tokens.append(len(given.text) if given else None)
            if given and len(given) <= scorer.longest:
                rows[at] = given
        after = dict(zip(rows, scorer.losses(list(rows.values())), strict=True))
        before = dict(zip(rows, scorer.losses([scorer.alone(g) for g in rows.values()]), strict=True))
        measured = [
            (after[at].perplexity, before[at].perplexity, after[at].perplexity / before[at].perplexity)
            if at in rows
            else (None, None, None)
            for at in range(len(records))
        ]
        frame = pl.DataFrame(measured, schema=list(MEASURES)[:3], orient="row").cast(pl.Float64)
        known = pl.DataFrame({"tokens": tokens}, schema={"tokens": pl.UInt32})
        limit, unknown = pl.lit(scorer.longest, dtype=pl.UInt32), pl.lit(None, dtype=pl.Float64)
        return frame.hstack(known).with_columns(longest=limit, zlib=unknown).select(list(MEASURES))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        """Records without an answer stay: nothing can be said of them."""
        value = pl.col(self.by)
        too_long = pl.when(value.is_null() & (pl.col("tokens") > 0)).then(
            pl.format("prompt and answer are longer than the {} tokens the model reads", pl.col("longest"))
        )
        balanced = self._outside_histogram(measures) if self.histogram else self._outside_band()
        return measures.select(reason=pl.coalesce(too_long, self._prompt_hinders(), balanced)).to_series()

    def _prompt_hinders(self) -> pl.Expr:
        none = pl.lit(None, dtype=pl.String)
        if self.by != "ifd" or self.max_ifd is None:
            return none
        said = pl.format("the ifd is {}, over {}: the prompt hinders the answer", _short("ifd"), pl.lit(self.max_ifd))
        return pl.when(pl.col("ifd") > self.max_ifd).then(said).otherwise(none)

    def _outside_band(self) -> pl.Expr:
        place, value = quantile(pl.col(self.by)), _short(self.by)
        low, high = self.keep

        def says(what: str, limit: float) -> pl.Expr:
            said = f"too {what}: the {self.by} is {{}}, at {{}} of its kind and length, beyond {limit:g}"
            return pl.format(said, value, place.round(3))

        return pl.when(place < low).then(says("easy", low)).when(place > high).then(says("hard", high))

    def _outside_histogram(self, measures: pl.DataFrame) -> pl.Expr:
        """Of a bin the first by id stay: ids are hashes, so that is a draw, the same in whatever order rows come."""
        placed = measures.select("id", "kind", "bucket", value=pl.col(self.by)).with_row_index("row")
        placed = placed.filter(pl.col("value").is_not_null())
        placed = placed.with_columns(bin=histogram_bin(pl.col("value").log(), len(self.histogram)))
        kept: set[int] = set()
        for _, group in placed.sort("id").group_by("kind", "bucket", maintain_order=True):
            bins = [group.filter(pl.col("bin") == b)["row"].to_list() for b in range(len(self.histogram))]
            wanted = quotas([len(b) for b in bins], self.histogram, round(group.height * self.share))
            kept |= {row for rows, count in zip(bins, wanted, strict=True) for row in rows[:count]}
        drawn = set(placed["row"]) - kept
        gone = pl.Series("gone", [row in drawn for row in range(measures.height)], dtype=pl.Boolean)
        said = f"the {self.by} is {{}}: enough others of its kind and length are as hard"
        return pl.when(pl.lit(gone)).then(pl.format(said, _short(self.by)))


def _short(name: str) -> pl.Expr:
    return pl.col(name).round_sig_figs(4)


def compressed_share(text: str) -> float | None:
    """Compressed bytes by bytes, both with zlib's own few counted out; null for an empty text."""
    raw = text.encode()
    overhead = len(zlib.compress(b""))
    return (len(zlib.compress(raw, 9)) - overhead) / len(raw) if raw else None
