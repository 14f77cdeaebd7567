"""The steps of a run, in order, each leaving a folder whose marker is written last."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.record import REJECTED_SCHEMA, SCHEMA, fingerprint
from tuneworks.factory.seeds import seeds_file
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.dataset import sha256
from tuneworks.pipelines.recipe import Recipe, Source, Stage

RECORDS, REJECTED, DONE = "records.parquet", "rejected.parquet", "done.json"
MEASURES, VERDICTS = "measures.parquet", "verdicts.parquet"

ROW_GROUP = 10_000
"""Rows of a Parquet row group: what is read back slice by slice is decoded slice by slice."""


@dataclass(frozen=True, slots=True)
class Step:
    """One folder of a run. `print` stands for all that decides its content: equal prints, equal records."""

    folder: str
    title: str
    work: Source | Stage | None
    """A source to load, a stage to run, or None for the mixture."""
    takes: tuple[str, ...]
    """Folders of the steps whose records it takes."""
    source: str
    print: str
    measured_print: str = ""
    """Of a filter's step: stands for all that decides its measurements. Thresholds are not among it."""


def steps_of(recipe: Recipe) -> list[Step]:
    """Each source's loading and stages, the mixture, the stages over it."""
    steps: list[Step] = []
    ends: list[Step] = []

    def add(title: str, work: Source | Stage | None, content: object, before: Sequence[Step], source: str) -> Step:
        number = len(steps) + 1
        again = sum(s.title == title or s.title.startswith(f"{title}.") for s in steps)
        title = f"{title}.{again + 1}" if again else title  # choices hang on the title, so no two are alike
        folder = f"{number:02d}-{title.replace('.', '-')}"
        prints = [step.print for step in before]
        measured = fingerprint([_measured_by(work, recipe), prints]) if isinstance(work, Filter) else ""
        made_of = fingerprint([content, prints, recipe.seed])
        step = Step(folder, title, work, tuple(s.folder for s in before), source, made_of, measured)
        steps.append(step)
        return step

    for name, source in recipe.sources.items():
        last = add(f"{name}.{source.origin}", source, _origin(source), [], name)
        for stage in source.stages:
            last = add(f"{name}.{stage.kind}", stage, _made_of(stage, recipe), [last], name)
        if name in recipe.mixed_sources:
            ends.append(last)
    licences = [source.licence for source in recipe.sources.values()] if "licence" in recipe.mix.most else []
    last = add("mix", None, [recipe.mix.model_dump(), *licences], ends, "")
    for stage in recipe.stages:
        last = add(stage.kind, stage, _made_of(stage, recipe), [last], "")
    return steps


def _made_of(stage: Stage, recipe: Recipe) -> list[object]:
    asked = _engine(stage, recipe)
    limit = [] if isinstance(stage, Filter) or recipe.limits.rows is None else [recipe.limits.rows]
    return [stage.decides(), *([asked.decides()] if asked else []), *limit, *_files(stage)]


def _engine(stage: Stage, recipe: Recipe) -> EngineOptions | None:
    """Who answers in a stage, if anyone."""
    if isinstance(stage, Filter):
        return recipe.engine if stage.asks_engine() else None
    return stage.engine or recipe.engine


def _measured_by(work: Filter, recipe: Recipe) -> list[object]:
    asked = _engine(work, recipe)
    return [work.kind, work.measured_options(), *([asked.decides()] if asked else []), *_files(work)]


def _files(stage: Stage) -> list[str]:
    return [_content(Path(file).expanduser()) for file in stage.reads()]


def _origin(source: Source) -> list[str]:
    """What the file holds, not where it lies: an edited file makes another step, a moved one does not."""
    if source.hub is not None:
        return [source.hub, source.config or "", source.split, source.commit or ""]
    path = seeds_file(source.seeds) if source.seeds else Path(str(source.file)).expanduser()
    return [_content(path), path.suffix]


def _content(path: Path) -> str:
    return sha256(path) if path.is_file() else "missing"


def filters_of(steps: Sequence[Step]) -> list[tuple[Step, Filter]]:
    """The steps that filter, each with its filter."""
    return [(step, step.work) for step in steps if isinstance(step.work, Filter)]


@dataclass(frozen=True, slots=True)
class Counts:
    taken: int
    kept: int
    rejected: int
    """Records rejected; answers and replies set aside are counted apart."""
    aside: int
    seconds: float


def counts_of(folder: Path, step_print: str) -> Counts | None:
    """The counts of a whole step, or None where it must be made (again)."""
    marker = folder / DONE
    if not marker.is_file():
        return None
    done = json.loads(marker.read_text(encoding="utf-8"))
    return Counts(**done["counts"]) if done["print"] == step_print else None


def read_records(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / RECORDS)


def rows_in(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def slices(files: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """The rows of the files, a slice at a time: memory does not grow with them."""
    for file in files:
        for offset in range(0, rows_in(file), ROW_GROUP):
            rows = pl.scan_parquet(file).slice(offset, ROW_GROUP)
            yield (rows.select(columns) if columns else rows).collect()


def write_step(
    folder: Path, step: Step, taken: int, kept: pl.DataFrame, rejected: pl.DataFrame, began: float
) -> Counts:
    """Write what a step made; a folder that holds the marker is whole."""
    _begin(folder)
    kept.write_parquet(folder / RECORDS, row_group_size=ROW_GROUP)
    rejected.write_parquet(folder / REJECTED, row_group_size=ROW_GROUP)
    return _end(folder, step, taken, began)


def write_decided(
    folder: Path,
    step: Step,
    table: pl.LazyFrame,
    verdicts: pl.LazyFrame,
    began: float,
    more: pl.LazyFrame | None = None,
) -> Counts:
    """Write the records of `table` that stay and those that go, by the `reason` in their row of `verdicts`, and after
    them `more` that stay. The tables stream through: none is ever in memory whole."""
    _begin(folder)
    facts = {"stage": pl.lit(step.title), "part": pl.lit("record")}
    decided = pl.concat([table, verdicts.select("reason")], how="horizontal").with_columns(**facts)
    stays = pl.col("reason").is_null()
    kept = decided.filter(stays).select(list(SCHEMA))
    kept = kept if more is None else pl.concat([kept, more])
    kept.sink_parquet(folder / RECORDS, row_group_size=ROW_GROUP)
    decided.filter(~stays).select(list(REJECTED_SCHEMA)).sink_parquet(folder / REJECTED, row_group_size=ROW_GROUP)
    verdicts.sink_parquet(folder / VERDICTS)
    return _end(folder, step, rows_in(folder / VERDICTS), began)


def _begin(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)


def _end(folder: Path, step: Step, taken: int, began: float) -> Counts:
    kept, gone = rows_in(folder / RECORDS), rows_in(folder / REJECTED)
    whole = pl.scan_parquet(folder / REJECTED).filter(pl.col("part") == "record").select(pl.len()).collect().item()
    counts = Counts(taken, kept, whole, gone - whole, round(time.monotonic() - began, 1))
    marker: Mapping[str, Any] = {
        "step": step.title,
        "print": step.print,
        "takes": list(step.takes),
        "counts": {name: getattr(counts, name) for name in Counts.__slots__},
    }
    half = folder / f"{DONE}.part"
    half.write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    half.rename(folder / DONE)
    return counts
