"""What one step of the pilot showed, in numbers: all that the forecast goes by."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from tuneworks.factory.generator import Generator
from tuneworks.filters.cap import Cap
from tuneworks.pipelines.planning.observing import Call
from tuneworks.pipelines.planning.sampling import Loaded
from tuneworks.pipelines.stages import MEASURES, RECORDS, REJECTED, VERDICTS, Counts, Step


@dataclass(frozen=True, slots=True)
class Grown:
    """How a generator came to its target: replies with candidates, most of which are let into a growing pool."""

    tasks: int
    accepts: tuple[int, ...]
    """Of each reply that was read how many candidates were let in."""
    candidates: int
    collided: int
    """Candidates too close to one that was made before."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of the pilot. `growth`, `fixed` and `unit` are its calls: those that look for tasks, those that are made
    once however many records there are, and those about each record."""

    title: str
    taken: int
    kept: int
    seconds: float
    began: float = 0.0
    loaded: Loaded | None = None
    carried: int = 0
    """Records that a generator handed on; the others that it kept are new."""
    parents: int = 0
    """Records taken of which new ones were made."""
    collided: int = 0
    """Records that a filter rejected for another record that stays."""
    groups: tuple[int, ...] = ()
    """Sizes of the groups that a cap counts; records in no group are in none of them."""
    grown: Grown | None = None
    growth: tuple[Call, ...] = ()
    fixed: tuple[Call, ...] = ()
    unit: tuple[Call, ...] = ()
    room: int = 512
    lengths: Mapping[str, float] = field(default_factory=dict)
    """Of a mixture by tokens, the mean tokens of each source's records."""

    @property
    def calls(self) -> tuple[Call, ...]:
        return (*self.growth, *self.fixed, *self.unit)

    @property
    def units(self) -> int:
        """What the `unit` calls are about: the tasks of a generator with a target, else the records taken."""
        return self.grown.tasks if self.grown else self.taken


def observed(step: Step, folder: Path, counts: Counts, calls: list[Call], began: float, seconds: float) -> Seen:
    """What is read from the folder of a step that was just made, and from its calls."""
    into = folder / step.folder
    seen = Seen(step.title, counts.taken, counts.kept, seconds, began)
    if isinstance(step.work, Generator):
        before = folder / step.takes[0]
        return _of_generator(seen, step.work, before, into, calls)
    seen = replace(seen, unit=tuple(calls))
    if (into / VERDICTS).is_file() and (into / MEASURES).is_file():
        seen = replace(seen, collided=_collided(into), groups=_groups(into) if isinstance(step.work, Cap) else ())
    return seen


def _of_generator(seen: Seen, work: Generator, before: Path, into: Path, calls: list[Call]) -> Seen:
    taken = set(pl.read_parquet(before / RECORDS, columns=["id"])["id"])
    kept = pl.read_parquet(into / RECORDS, columns=["id", "parents"])
    new = kept.filter(~pl.col("id").is_in(list(taken)))
    first = new["parents"].list.get(0, null_on_oob=True)
    grown = _grown(into) if hasattr(work, "target") else None
    sort = calls[0].sort if grown and calls else None
    growth = [call for call in calls if call.sort == sort]
    rest = [call for call in calls if call.sort != sort]
    cut = _barrier(rest, _fixed_calls(work))
    parents = first.n_unique() if not first.is_null().any() and set(first) <= taken else 0
    return replace(
        seen, carried=kept.height - new.height, parents=parents, grown=grown,
        growth=tuple(growth), fixed=tuple(rest[:cut]), unit=tuple(rest[cut:]),
    )  # fmt: skip


def _fixed_calls(work: Generator) -> int:
    """Calls that a generator makes once, by what it says of itself."""
    nothing = work.model_copy(update={"target": 0}) if hasattr(work, "target") else work
    return nothing.calls(0)


def _barrier(calls: list[Call], about: int) -> int:
    """How many calls come before a moment at which all calls so far have ended and the others have not begun: of
    several the one nearest to `about`. Nothing about a record is asked before what is asked once is known."""
    if not about:
        return 0
    ended = np.maximum.accumulate([call.ended for call in calls] or [0.0])
    places = [at for at in range(1, len(calls)) if calls[at].began >= ended[at - 1]]
    return min([*places, min(about, len(calls))], key=lambda at: abs(at - about))


def _grown(into: Path) -> Grown:
    """Replies are told apart by the examples that their call showed: the parents of what came of it."""
    kept = pl.read_parquet(into / RECORDS, columns=["parents", "meta"])
    gone = pl.read_parquet(into / REJECTED, columns=["parents", "meta", "part"])
    said = pl.col("meta").str.json_path_match("$.instruction")
    made = pl.concat([kept, gone.filter(pl.col("part") == "record").drop("part")])
    made = made.with_columns(task=said).unique("task", keep="first")
    lost = gone.filter(pl.col("part") == "reply").with_columns(near=pl.col("meta").str.json_path_match("$.nearest"))
    calls = Counter({tuple(row): 0 for row in lost["parents"]})
    calls.update(tuple(row) for row in made["parents"])
    over = lost.filter(pl.col("near").is_in(made["task"].drop_nulls().to_list()))
    return Grown(made.height, tuple(calls.values()), made.height + lost.height, over.height)


def _collided(into: Path) -> int:
    verdicts, ids = pl.read_parquet(into / VERDICTS), pl.read_parquet(into / MEASURES, columns=["id"])["id"]
    if "nearest" not in verdicts.columns:
        return 0
    gone = verdicts.filter(pl.col("reason").is_not_null())
    return gone.filter(pl.col("nearest").is_in(ids.to_list())).height


def _groups(into: Path) -> tuple[int, ...]:
    measures = pl.read_parquet(into / MEASURES)
    if "group" not in measures.columns:
        return ()
    return tuple(measures["group"].drop_nulls().value_counts()["count"].to_list())
