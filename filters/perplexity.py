"""Perplexity: how hard a record is for a model; too easy teaches nothing, too hard is often noise.

Measured are the perplexity of the best answer after its prompt, of the answer alone, and their ratio, the instruction
following difficulty (IFD, arXiv:2308.12032, 2402.00530): over 1, the prompt makes the answer less likely. The model is
one in this process or the run's own engine. Without a model, how far zlib shrinks the answer stands in for it.
"""

import math
import zlib
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import RecipeError
from tuneworks.factory.weights import SMOLLM2, locate
from tuneworks.filters.filter import Filter
from tuneworks.filters.scoring import Known, by_engine, by_model, forget
from tuneworks.filters.shares import shared_out
from tuneworks.filters.strata import STRATUM, histogram_bin, kind_of_task, length_bucket, quantile, strata
from tuneworks.filters.words import answered, word_count

ENGINE = "engine"
"""As a model: the run's own engine."""

Share = Annotated[float, Field(ge=0, le=1)]

MEASURES = pl.Schema(
    {
        "perplexity": pl.Float64(),
        "alone": pl.Float64(),
        "ifd": pl.Float64(),
        "zlib": pl.Float64(),
        "tokens": pl.UInt32(),  # of the answer; its words where no model was asked
        "longest": pl.UInt32(),  # most tokens of prompt and answer that the model reads
        "refused": pl.String(),  # what the model's chat template, or the engine, has against the record
    }
)


class Perplexity(Filter):
    """Drop the too easy and the too hard, compared within kind of task and length of answer.

    Fewer than 10 records of a kind and length are compared together with the next length, and rare kinds with each
    other.
    """

    kind: ClassVar[str] = "perplexity"
    measured_by: ClassVar[tuple[str, ...]] = ("model",)
    slice_rows: ClassVar[int] = 500

    by: Literal["perplexity", "ifd", "alone", "zlib"] = "perplexity"
    """What decides: the answer's perplexity after its prompt, `alone` without it, their ratio `ifd`, or `zlib`, the
    compressed share of the answer's bytes, which needs no model."""
    model: str | None = SMOLLM2
    """Whose perplexity: `smollm2`, a model's folder or a Hub id; `engine` is the model of the recipe's own engine,
    where that one can score. All four measures are taken with it, so that `by` may change later; null, the default with
    `by: zlib`, measures without a model."""
    keep: tuple[Share, Share] = (0.1, 0.9)
    """The band of quantiles that stays, within each kind of task and length of answer."""
    max_ifd: float | None = Field(default=1.0, gt=0)
    """With `by: ifd`, most the ratio may be; over 1 the prompt makes the answer less likely."""
    histogram: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Instead of a band, the shares wanted in so many bins from easy to hard; [1, 1, 1, 1] is uniform."""
    share: float = Field(default=0.5, gt=0, le=1)
    """With `histogram`, which share of each kind and length stays."""

    @model_validator(mode="before")
    @classmethod
    def _free_of_a_model(cls, options: object) -> object:
        if isinstance(options, Mapping) and options.get("by") == "zlib":
            return {"model": None, **options}
        return options

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.model is None and self.by != "zlib":
            raise ValueError(f"by: {self.by} needs a model; name one, such as smollm2, or write by: zlib")
        if self.keep[0] >= self.keep[1]:
            raise ValueError(f"keep goes from {self.keep[0]:g} to {self.keep[1]:g}: nothing would stay")
        if self.histogram and not 0 < sum(self.histogram) < math.inf:
            raise ValueError("the shares of histogram are all 0, or one has no end: nothing would stay")
        return self

    def asks_model(self) -> bool:
        return self.model is not None

    def asks_engine(self) -> bool:
        return self.model == ENGINE

    def check(self) -> None:
        if self.model is not None and not self.asks_engine():
            require_torch(f"perplexity with the model {self.model}")
            locate(self.model)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        texts = _texts(table)
        if self.model is None:
            words = word_count(pl.col("text")).cast(pl.UInt32)
            return _placed(table, _measured(table.height, {}).with_columns(texts.select(tokens=words)))
        if self.asks_engine():
            raise RecipeError(
                "perplexity: model: engine asks the engine of a run, and none is open; build the run, or name a model"
            )
        return _placed(table, _measured(table.height, by_model(self.model, texts)))

    async def ask(self, table: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        if not self.asks_engine():
            return self.measure(table)
        if not engine.scores:
            raise RecipeError(
                f"perplexity: model: engine, but {engine.name} cannot tell how likely a text is; name a model such as "
                "smollm2, or use an engine that can: transformers, vllm, or a vLLM server"
            )
        return _placed(table, _measured(table.height, await by_engine(engine, _texts(table))))

    def let_go(self) -> None:
        forget()

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        """Records without an answer stay: nothing can be said of them."""
        said = pl.format("prompt and answer are longer than the {} tokens the model reads", pl.col("longest"))
        too_long = pl.when(pl.col("tokens") > 0).then(said)
        missing = pl.when(pl.col(self.by).is_null()).then(pl.coalesce(pl.col("refused"), too_long))
        compared = measures.with_columns(strata(measures, self.by).alias(STRATUM))
        balanced = self._outside_histogram(compared) if self.histogram else self._outside_band()
        return compared.select(reason=pl.coalesce(missing, self._prompt_hinders(), balanced)).to_series()

    def _prompt_hinders(self) -> pl.Expr:
        none = pl.lit(None, dtype=pl.String)
        if self.by != "ifd" or self.max_ifd is None:
            return none
        said = pl.format("the ifd is {}, over {}: the prompt hinders the answer", _short("ifd"), pl.lit(self.max_ifd))
        return pl.when(pl.col("ifd") > self.max_ifd).then(said).otherwise(none)

    def _outside_band(self) -> pl.Expr:
        alike = pl.col(STRATUM).is_not_null()
        place, value = quantile(pl.col(self.by)), _short(self.by)
        low, high = self.keep

        def says(what: str, limit: float) -> pl.Expr:
            said = f"too {what}: the {self.by} is {{}}, at {{}} of its kind and length, beyond {limit:g}"
            return pl.format(said, value, place.round(3))

        return (
            pl.when(alike & (place < low)).then(says("easy", low)).when(alike & (place > high)).then(says("hard", high))
        )

    def _outside_histogram(self, measures: pl.DataFrame) -> pl.Expr:
        """Of a bin the first by id stay: ids are hashes, so that is a draw, the same in whatever order rows come."""
        bins = len(self.histogram)
        placed = measures.select("id", STRATUM, value=pl.col(self.by)).with_row_index("row")
        placed = placed.filter(pl.col(STRATUM).is_not_null()).sort("id")
        placed = placed.with_columns(bin=histogram_bin(pl.col("value").log(), bins).over(STRATUM))
        gone: dict[int, str] = {}
        for _, group in placed.group_by(STRATUM, maintain_order=True):
            rows = [group.filter(pl.col("bin") == b)["row"].to_list() for b in range(bins)]
            wanted = shared_out([len(r) for r in rows], self.histogram, math.ceil(group.height * self.share))
            for number, (members, count) in enumerate(zip(rows, wanted, strict=True), 1):
                said = f"in bin {number} of {bins} of its kind and length, of which {count} of {len(members)} stay"
                gone |= dict.fromkeys(members[count:], said)
        where = pl.Series([gone.get(row) for row in range(measures.height)], dtype=pl.String)
        return pl.format(f"the {self.by} is {{}}, {{}}", _short(self.by), pl.lit(where))


def _texts(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("prompt", text=answered())


def _measured(height: int, known: Known) -> pl.DataFrame:
    """So many rows of measurements, of which some are known, by their place; IFD follows from them."""
    columns = {name: [known.get(name, {}).get(at) for at in range(height)] for name in MEASURES}
    frame = pl.DataFrame(columns, schema=MEASURES)
    return frame.with_columns(ifd=pl.col("perplexity") / pl.col("alone"))


def _placed(table: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """What was measured, with how far each answer shrinks and whom it is compared with."""
    texts = table.select(text=answered())["text"].fill_null("")
    shares = pl.Series("zlib", map(compressed_share, texts), dtype=pl.Float64)
    placed = made.with_columns(shares).with_columns(table.select("id", kind=kind_of_task()))
    return placed.with_columns(bucket=length_bucket(pl.col("tokens")))


def _short(name: str) -> pl.Expr:
    return pl.col(name).round_sig_figs(4)


def compressed_share(text: str) -> float | None:
    """Compressed bytes by bytes, both with zlib's own few counted out; null for an empty text."""
    raw = text.encode("utf-8", "surrogatepass")
    overhead = len(zlib.compress(b""))
    return (len(zlib.compress(raw, 9)) - overhead) / len(raw) if raw else None
