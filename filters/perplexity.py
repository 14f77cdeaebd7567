"""Perplexity: how hard a record is for a model; too easy teaches nothing, too hard is often noise.

Measured are the perplexity of the best answer after its prompt, of the answer alone, and their ratio, the instruction
following difficulty (IFD, arXiv:2308.12032, 2402.00530): over 1, the prompt makes the answer less likely. Without a
model, how far zlib shrinks the answer stands in for it.
"""

import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Message
from tuneworks.factory.weights import SMOLLM2, loading, locate
from tuneworks.filters.filter import Filter
from tuneworks.filters.shares import shared_out
from tuneworks.filters.strata import STRATUM, histogram_bin, kind_of_task, length_bucket, quantile, strata
from tuneworks.filters.words import answered, word_count

if TYPE_CHECKING:
    from tuneworks.factory.engines.likelihood import Given, Likelihood

Share = Annotated[float, Field(ge=0, le=1)]

MEASURES = pl.Schema(
    {
        "perplexity": pl.Float64(),
        "alone": pl.Float64(),
        "ifd": pl.Float64(),
        "zlib": pl.Float64(),
        "tokens": pl.UInt32(),  # of the answer; its words where no model was asked
        "longest": pl.UInt32(),  # most tokens of prompt and answer that the model reads
        "refused": pl.String(),  # what the model's chat template has against the prompt
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
    """Whose perplexity: `smollm2`, a model's folder or a Hub id. All four measures are taken with it, so that `by` may
    change later; null, the default with `by: zlib`, measures without a model."""
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

    def check(self) -> None:
        if self.model is not None:
            require_torch(f"perplexity with the model {self.model}")
            locate(self.model)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        texts = table.select("prompt", text=answered())
        zlib_share = pl.Series("zlib", map(compressed_share, texts["text"].fill_null("")), dtype=pl.Float64)
        if self.model is None:
            nothing = pl.DataFrame({name: [None] * table.height for name in MEASURES}, schema=MEASURES)
            made = nothing.with_columns(texts.select(tokens=word_count(pl.col("text")).cast(pl.UInt32)))
        else:
            made = _by_model(self.model, texts)
        placed = made.with_columns(zlib_share).with_columns(table.select("id", kind=kind_of_task()))
        return placed.with_columns(bucket=length_bucket(pl.col("tokens")))

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


def _by_model(name: str, texts: pl.DataFrame) -> pl.DataFrame:
    """All measures but zlib, for the columns `prompt` and `text`."""
    scorer = _loaded(name)
    rows: dict[int, Given] = {}
    tokens: dict[int, int] = {}
    refused: dict[int, str] = {}
    for at, (prompt, text) in enumerate(texts.iter_rows()):
        if not text or not text.strip():
            continue
        try:
            given = scorer.answer(_messages(prompt), text)
        except EngineError as error:
            refused[at] = str(error)
            continue
        tokens[at] = len(given.text) if given else scorer.longest + 1
        if given and given.text and len(given) <= scorer.longest:
            rows[at] = given
    losses = scorer.losses([*rows.values(), *map(scorer.alone, rows.values())])
    perplexities = [loss.perplexity for loss in losses]
    known: dict[str, Mapping[int, object]] = {
        "perplexity": dict(zip(rows, perplexities, strict=False)),
        "alone": dict(zip(rows, perplexities[len(rows) :], strict=True)),
        "tokens": tokens,
        "refused": refused,
    }
    columns = {name: [found.get(at) for at in range(texts.height)] for name, found in known.items()}
    frame = pl.DataFrame(columns, schema={name: MEASURES[name] for name in known})
    limit, unknown = pl.lit(scorer.longest, dtype=pl.UInt32), pl.lit(None, dtype=pl.Float64)
    ratio = pl.col("perplexity") / pl.col("alone")
    return frame.with_columns(ifd=ratio, zlib=unknown, longest=limit).select(list(MEASURES))


def _loaded(name: str) -> "Likelihood":
    require_torch(f"perplexity with the model {name}")
    from tuneworks.factory.engines.likelihood import likelihood

    with loading(f"the model {name}"):
        return likelihood(name)


def _messages(prompt: list[dict[str, Any]] | None) -> list[Message]:
    return [Message(turn["role"], turn["content"] or "") for turn in prompt or []]


def _short(name: str) -> pl.Expr:
    return pl.col(name).round_sig_figs(4)


def compressed_share(text: str) -> float | None:
    """Compressed bytes by bytes, both with zlib's own few counted out; null for an empty text."""
    raw = text.encode("utf-8", "surrogatepass")
    overhead = len(zlib.compress(b""))
    return (len(zlib.compress(raw, 9)) - overhead) / len(raw) if raw else None
