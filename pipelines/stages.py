"""The steps of a run, in order, each leaving a folder whose marker is written last."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.record import Rejected, fingerprint, to_rejected_table
from tuneworks.factory.seeds import seeds_file
from tuneworks.pipelines.dataset import sha256
from tuneworks.pipelines.recipe import Recipe, Source, Stage

RECORDS, REJECTED, MEASURES, DONE = "records.parquet", "rejected.parquet", "measures.parquet", "done.json"


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


def steps_of(recipe: Recipe) -> list[Step]:
    """Each source's loading and stages, the mixture, the stages over it."""
    steps: list[Step] = []
    ends: list[Step] = []

    def add(title: str, work: Source | Stage | None, content: object, before: Sequence[Step], source: str) -> Step:
        number = len(steps) + 1
        again = sum(s.title == title or s.title.startswith(f"{title}.") for s in steps)
        title = f"{title}.{again + 1}" if again else title  # choices hang on the title, so no two are alike
        folder = f"{number:02d}-{title.replace('.', '-')}"
        made_of = [content, [step.print for step in before], recipe.seed]
        step = Step(folder, title, work, tuple(s.folder for s in before), source, fingerprint(made_of))
        steps.append(step)
        return step

    for name, source in recipe.sources.items():
        last = add(f"{name}.{'seeds' if source.seeds else 'file'}", source, _origin(source), [], name)
        for stage in source.stages:
            last = add(f"{name}.{stage.kind}", stage, _made_of(stage, recipe), [last], name)
        ends.append(last)
    last = add("mix", None, recipe.mix.model_dump(), ends, "")
    for stage in recipe.stages:
        last = add(stage.kind, stage, _made_of(stage, recipe), [last], "")
    return steps


def _made_of(stage: Stage, recipe: Recipe) -> list[object]:
    files = [_content(Path(file).expanduser()) for file in stage.reads()]
    return [stage.written(), recipe.engine.written(), *files]


def _origin(source: Source) -> list[str]:
    """What the file holds, not where it lies: an edited file makes another step, a moved one does not."""
    path = seeds_file(source.seeds) if source.seeds else Path(str(source.file)).expanduser()
    return [_content(path), path.suffix]


def _content(path: Path) -> str:
    return sha256(path) if path.is_file() else "missing"


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


def write_step(
    folder: Path, step: Step, taken: int, kept: pl.DataFrame, rejected: pl.DataFrame, began: float,
    measures: pl.DataFrame | None = None,
) -> Counts:  # fmt: skip
    """Write what a step made; a folder that holds the marker is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)
    kept.write_parquet(folder / RECORDS)
    rejected.write_parquet(folder / REJECTED)
    if measures is not None:
        measures.write_parquet(folder / MEASURES)
    whole = rejected.filter(pl.col("part") == "record").height
    counts = Counts(taken, kept.height, whole, rejected.height - whole, round(time.monotonic() - began, 1))
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


def rejected_rows(table: pl.DataFrame, reasons: pl.Series, stage: str) -> pl.DataFrame:
    """The rows of `table` that have a reason, as rejected records."""
    part, where = pl.lit("record").alias("part"), pl.lit(stage).alias("stage")
    gone = table.with_columns(where, part, reasons.cast(pl.String).alias("reason"))
    return pl.concat([to_rejected_table(list[Rejected]()), gone.filter(pl.col("reason").is_not_null())])
