"""Deciding again: other options over the measurements a run holds. No model is asked and nothing is written.

Where an option changes what is measured, and that takes no model, the step's records are measured again on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.record import from_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines import catalog
from tuneworks.pipelines.catalog import OptionError, nearest
from tuneworks.pipelines.measuring import decided, measure_slice, stored
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.stages import RECORDS, VERDICTS, Step, filters_of, rows_in, steps_of

FATES = pl.Schema({"id": pl.String(), "reason": pl.String()})


@dataclass(frozen=True, slots=True)
class Setting:
    """One `--set STEP.OPTION=VALUE`."""

    step: str
    option: str
    value: Any

    @classmethod
    def parsed(cls, text: str) -> "Setting":
        place, equals, value = text.partition("=")
        step, dot, option = place.strip().rpartition(".")
        if not (equals and dot and step and option):
            raise RecipeError(f"--set {text} is no setting; write it as STEP.OPTION=VALUE, such as rouge.max=0.6")
        try:
            return cls(step, option, yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise RecipeError(f"the value of --set {text} cannot be read; write it as in a recipe") from error


@dataclass(frozen=True, slots=True)
class Change:
    """What other options of one step would change among the records it took."""

    step: Step
    options: dict[str, Any]
    """The options that change, with their new values."""
    taken: int
    stayed: int
    stay: int
    go: pl.DataFrame
    """`id` and the new `reason` of each record that stayed and would go."""
    come_back: pl.DataFrame
    """`id` and the old `reason` of each record that went and would stay."""
    lost_rows: int
    """Records at the end of the run that go with those, themselves or as made from them."""


def refiltered(recipe: Recipe, folder: Path, settings: Sequence[str]) -> list[Change]:
    """What the settings would change, step by step, each against what that step took."""
    steps = steps_of(recipe)
    filters = filters_of(steps)
    wanted: dict[str, dict[str, Any]] = {}
    for setting in map(Setting.parsed, settings):
        for title in _named(setting.step, filters):
            wanted.setdefault(title, {})[setting.option] = setting.value
    return [_change(s, work, wanted[s.title], folder, steps[-1]) for s, work in filters if s.title in wanted]


def _named(name: str, filters: Sequence[tuple[Step, Filter]]) -> list[str]:
    """The titles of the steps that a name means: one step, or all of one kind."""
    found = [step.title for step, work in filters if name in (step.title, work.kind)]
    if not found:
        known = dict.fromkeys([step.title for step, _ in filters])
        raise RecipeError(f"the run has no filter {name!r}; {nearest(name, known) if known else 'it has none at all'}")
    return found


def _change(step: Step, work: Filter, options: dict[str, Any], folder: Path, last: Step) -> Change:
    changed = _with_options(work, options)
    measures = _measures(step, work, changed, folder)
    before = stored(step, folder, VERDICTS).select(list(FATES))
    both = before.rename({"reason": "old"}).with_columns(decided(changed, measures)["reason"])
    go = both.filter(pl.col("old").is_null() & pl.col("reason").is_not_null()).select("id", "reason")
    back = both.filter(pl.col("old").is_not_null() & pl.col("reason").is_null()).select("id", reason="old")
    stay = both["reason"].null_count()
    lost = _descended(folder / last.folder / RECORDS, go["id"])
    return Change(step, options, both.height, both["old"].null_count(), stay, go, back, lost)


def _with_options(work: Filter, options: dict[str, Any]) -> Filter:
    spec = {work.kind: {**work.written()[work.kind], **options}}
    try:
        changed = catalog.build(("filters",), spec, ("--set",))
    except OptionError as error:
        raise RecipeError(f"--set: {error.sentence}") from error
    assert isinstance(changed, Filter)
    changed.check()
    return changed


def _measures(step: Step, work: Filter, changed: Filter, folder: Path) -> pl.DataFrame:
    """Those that are stored, where they serve the changed filter too; else made again, if that takes no model."""
    measures = stored(step, folder)
    if changed.measured_options() == work.measured_options():
        return measures
    if changed.asks_model():
        names = ", ".join(n for n, v in changed.measured_options().items() if work.measured_options().get(n) != v)
        raise RecipeError(
            f"{names} decides what {work.kind} measures, and that takes a model; change it in the recipe and run: "
            "tuneworks build RECIPE --update"
        )
    records = folder / step.takes[0] / RECORDS
    offsets = range(0, max(rows_in(records), 1), changed.slice_rows)
    return pl.concat([measure_slice(changed, records, at) for at in offsets], how="vertical_relaxed")


def _descended(records: Path, ids: pl.Series) -> int:
    """How many records of a file are among `ids`, or were made from one of them."""
    if not records.is_file():
        return 0
    gone = ids.implode()
    is_one = pl.col("id").is_in(gone)
    made_of_one = pl.col("parents").list.eval(pl.element().is_in(gone)).list.any()
    return int(pl.scan_parquet(records).filter(is_one | made_of_one).select(pl.len()).collect().item())


def briefs(folder: Path, changes: Sequence[Change], samples: int) -> dict[str, str]:
    """What the first records that change are about, by id."""
    found: dict[str, str] = {}
    for change in changes:
        ids = pl.concat([change.go["id"].head(samples), change.come_back["id"].head(samples)])
        taken = pl.scan_parquet(folder / change.step.takes[0] / RECORDS).filter(pl.col("id").is_in(ids.implode()))
        found |= {r.id: r.instruction for r in from_table(taken.collect())}
    return found
