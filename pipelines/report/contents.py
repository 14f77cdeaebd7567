"""What a run's folder holds, be it whole or in the middle: its recipe, its steps, where its records ended and went."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import yaml

from tuneworks.factory.errors import InputError, TuneworksError
from tuneworks.pipelines.reading import Made, dataset_rows, steps_made
from tuneworks.pipelines.recipe import Recipe, parse_recipe
from tuneworks.pipelines.report.reasons import folded
from tuneworks.pipelines.run_folder import DATASET, JOURNAL, RECIPE
from tuneworks.pipelines.stages import RECORDS, REJECTED, rows_in, steps_of

ID_AND_WHY = ("id", "stage", "part", "reason")


@dataclass(frozen=True, slots=True)
class Contents:
    folder: Path
    written: dict[str, Any]
    """The recipe as its file has it."""
    recipe: Recipe | None
    """None where it cannot be read here, such as without a plugin that it names."""
    steps: tuple[Made, ...]
    missing: tuple[str, ...]
    """Titles of the recipe's steps that are not made yet."""
    rows: dict[str, dict[str, int]]
    """Of the dataset, by configuration and split; empty while there is none."""

    @property
    def name(self) -> str:
        return str(self.written.get("name") or self.folder.name)

    @property
    def seed(self) -> int:
        seed = self.written.get("seed", 0)
        return seed if isinstance(seed, int) else 0

    @property
    def ends(self) -> list[Made]:
        """The steps whose records no other step took: of a whole run, the last one. Plain text for pretraining, which
        is carried beside the records, is none of them."""
        taken = {before for step in self.steps for before in step.takes}
        texts = self.recipe.pretraining if self.recipe is not None else None
        apart = (f"{texts.source}.",) if texts is not None else ()
        return [s for s in self.steps if s.folder not in taken and not s.title.startswith(apart)]

    @property
    def kept(self) -> list[Path]:
        """The files of the records that are left."""
        return [step.folder / RECORDS for step in self.ends]

    @property
    def rejected(self) -> list[Path]:
        return [step.folder / REJECTED for step in self.steps]

    @property
    def journal(self) -> Path | None:
        path = self.folder / JOURNAL
        return path if path.is_file() else None

    def dataset_files(self, configuration: str) -> list[Path]:
        """One file a split; a split without rows has none."""
        return sorted((self.folder / DATASET / configuration).glob("*.parquet")) if self.rows else []


def read_contents(folder: Path) -> Contents:
    """Raises InputError for a folder that holds no run."""
    path = folder / RECIPE
    try:
        text = path.read_text(encoding="utf-8")
        written = yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"there is no run in {folder}; make one with: tuneworks build RECIPE") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"the recipe {path} cannot be read; put back a copy, or build the run again") from error
    written = written if isinstance(written, dict) else {}
    recipe = _recipe(text, path)
    made = tuple(steps_made(folder))
    missing: tuple[str, ...] = ()
    if recipe is not None:
        planned = {step.folder: step.title for step in steps_of(recipe)}
        made = tuple(step for step in made if step.folder.name in planned)  # others are of an earlier recipe
        there = {step.folder.name for step in made}
        missing = tuple(title for name, title in planned.items() if name not in there)
    return Contents(folder, written, recipe, made, missing, dataset_rows(folder))


def _recipe(text: str, path: Path) -> Recipe | None:
    try:
        return parse_recipe(text, str(path))
    except TuneworksError:
        return None


def gone(run: Contents) -> pl.DataFrame:
    """All that was rejected, without its texts: `folder` and `row` say where it is, `folded` the kind of its reason."""
    frames = [
        pl.scan_parquet(file)
        .select(*ID_AND_WHY)
        .with_row_index("row")
        .with_columns(folder=pl.lit(file.parent.name), folded=folded(pl.col("reason")))
        .collect()
        for file in run.rejected
    ]
    schema = {"row": pl.UInt32, **dict.fromkeys([*ID_AND_WHY, "folder", "folded"], pl.String)}
    return pl.concat([pl.DataFrame(schema=schema), *frames], how="vertical_relaxed")


def rows_at(file: Path, places: list[int]) -> pl.DataFrame:
    """Whole rows of a file by their places, with the place as `row`."""
    wanted = pl.Series(places, dtype=pl.UInt32).implode()
    return pl.scan_parquet(file).with_row_index("row").filter(pl.col("row").is_in(wanted)).collect()


def drawn_rows(files: list[Path], most: int, draw: Random) -> list[pl.DataFrame]:
    """So many rows of all files together, a table for each file that has some."""
    sizes = [rows_in(file) for file in files]
    places = draw.sample(range(sum(sizes)), min(most, sum(sizes)))
    begins = [sum(sizes[:at]) for at in range(len(sizes))]
    inside = [[p - first for p in places if first <= p < first + n] for first, n in zip(begins, sizes, strict=True)]
    return [rows_at(file, some) for file, some in zip(files, inside, strict=True) if some]


def rows_of(files: list[Path], ids: list[str]) -> pl.DataFrame:
    """Whole rows by their ids, each id once, from the first file that has it."""
    wanted = pl.Series(ids, dtype=pl.String).implode()
    found = [pl.scan_parquet(file).filter(pl.col("id").is_in(wanted)).collect() for file in files]
    return pl.concat(found, how="diagonal").unique("id", keep="first", maintain_order=True) if found else pl.DataFrame()
