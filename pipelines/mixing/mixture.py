"""The mixture of a run: drawn, written source after source with none in memory, and what each gave noted beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import SCHEMA, fingerprint
from tuneworks.pipelines.mixing.drawing import Drawn, drawn
from tuneworks.pipelines.mixing.facts import facts
from tuneworks.pipelines.mixing.options import COPY, Mix

MIXTURE = "mixture.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One source of a mixture: where its records lie, and what the recipe says of it."""

    source: str
    records: Path
    licence: str | None = None
    measures: Path | None = None
    """Of its perplexity, where difficulty counts."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one source gave, and why: all that `tuneworks mix` says."""

    source: str
    phase: str | None
    held: int
    """Its records."""
    thinned: int
    """Those that a group's limit left out before."""
    counts: int
    """What is left, in the mixture's unit."""
    weighs: float
    rate: float
    fixed: bool
    quota: int
    records: int
    """Taken, copies counted."""
    amount: int
    """Taken, in the mixture's unit."""
    epochs: float
    formats: Mapping[str, int]
    """Records by format, where their shares are set."""


def draw(parts: Sequence[Part], options: Mix, dice: Dice) -> dict[str, Drawn]:
    return drawn({p.source: facts(p.records, p.source, options, p.licence, p.measures) for p in parts}, options, dice)


def given(parts: Sequence[Part], made: Mapping[str, Drawn], options: Mix) -> list[Given]:
    return [_given(part, made[part.source], options) for part in parts]


def _given(part: Part, one: Drawn, options: Mix) -> Given:
    quota = one.quota
    return Given(
        part.source, options.phase_of(part.source), one.held, one.thinned, quota.rows, quota.weighs, quota.rate,
        quota.fixed, quota.quota, one.records, one.amount, one.amount / quota.rows if quota.rows else 0.0, one.formats,
    )  # fmt: skip


def kept(parts: Sequence[Part], made: Mapping[str, Drawn]) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.LazyFrame]:
    """All records one after the other; for each its `id` and the `reason` why it is left out, or null; and the copies
    of those that are taken more than once."""
    empty = pl.DataFrame(schema=SCHEMA).lazy()
    tables = {part.source: pl.scan_parquet(part.records) for part in parts}
    whole = pl.concat([empty, *tables.values()])
    reasons = pl.concat([pl.DataFrame(schema={"reason": pl.String()}).lazy(), *(_said(made[p.source]) for p in parts)])
    verdicts = pl.concat([whole.select("id"), reasons], how="horizontal")
    return whole, verdicts, pl.concat([empty, *(c for p in parts for c in _copies(tables[p.source], made[p.source]))])


def _said(one: Drawn) -> pl.LazyFrame:
    return pl.DataFrame({"reason": one.reasons}).lazy().select(pl.col("reason").cast(pl.String))


def _copies(table: pl.LazyFrame, one: Drawn) -> list[pl.LazyFrame]:
    return [_copied(table, one, number) for number in range(2, int(one.times.max(initial=0)) + 1)]


def _copied(table: pl.LazyFrame, one: Drawn, number: int) -> pl.LazyFrame:
    """The records that are taken so many times or more, once, as children of themselves."""

    def named(record_id: str) -> str:
        return fingerprint([record_id, number])

    def marked(meta: str) -> str:
        return json.dumps({**json.loads(meta), COPY: number}, ensure_ascii=False, sort_keys=True)

    chosen = table.filter(pl.Series(one.times >= number)).select(list(SCHEMA))
    return chosen.with_columns(
        id=pl.col("id").map_elements(named, return_dtype=pl.String),
        parents=pl.concat_list("id"),
        meta=pl.col("meta").map_elements(marked, return_dtype=pl.String),
    )


def note(folder: Path, options: Mix, sources: Sequence[Given]) -> None:
    content = {"options": options.model_dump(mode="json"), "sources": [asdict(one) for one in sources]}
    (folder / MIXTURE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def noted(folder: Path) -> tuple[Mix, list[Given]]:
    content: dict[str, Any] = json.loads((folder / MIXTURE).read_text(encoding="utf-8"))
    return Mix.model_validate(content["options"]), [Given(**one) for one in content["sources"]]
