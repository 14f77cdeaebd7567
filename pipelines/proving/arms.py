"""Arms: what the model learns from in each comparison, made from the pool of a run."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import InputError
from tuneworks.factory.record import SCHEMA, from_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.catalog import nearest
from tuneworks.pipelines.measuring import decided, stored, with_ids
from tuneworks.pipelines.proving.pool import Pool
from tuneworks.pipelines.stages import Step
from tuneworks.trainers.rows import VIEWS

BASE, KEPT, RANDOM, REJECTED, SHUFFLED, WITHOUT = "base", "kept", "random", "rejected", "shuffled", "without"

WORTH = 0.1
"""Share of the kept rows that the rejected ones must be: the smallest arm sets how much all may learn. By name they are
an arm all the same."""

SLICE = 10_000
"""Records that are Python objects at a time."""

VIEW = VIEWS["sft"]


@dataclass(frozen=True, slots=True)
class Arm:
    name: str
    rows: pl.DataFrame
    """Of the view `sft`."""
    step: Step | None = None
    """Of the arm without a filter: that filter's step."""
    draw: int | None = None
    """How many of its rows each training draws; None is all."""


@dataclass(frozen=True, slots=True)
class Arms:
    arms: list[Arm]
    notes: list[str] = field(default_factory=list)
    """Sentences about arms that could not be made, and what was not judged."""


def arms_of(pool: Pool, folder: Path, wanted: Sequence[str] | None, seed: int) -> Arms:
    """Those wanted by name, or all; `kept` is always among them. Raises InputError for one that cannot be made."""
    names = [KEPT, *(name for name in _named(pool, wanted) if name != KEPT)]
    kept, gone = sft_rows(pool.kept), sft_rows(pool.rejected)
    if kept.height < 2:
        raise InputError(f"the run {folder} kept {kept.height} rows to train on, and 2 are needed; keep more")
    made = Arms([])
    steps = {f"{WITHOUT} {step.title}": (step, work) for step, work in pool.filters}
    simple: dict[str, Callable[[], Arm]] = {
        KEPT: lambda: Arm(KEPT, kept),
        RANDOM: lambda: Arm(RANDOM, pl.concat([kept, gone]), draw=kept.height),
        REJECTED: lambda: Arm(REJECTED, gone),
        SHUFFLED: lambda: Arm(SHUFFLED, shuffled(kept, Dice(seed, "prove").random(SHUFFLED))),
    }
    absent = _absent(gone.height, kept.height, named=wanted is not None)
    for name in names:
        if name in absent:
            made.notes.append(f"There is no arm {name}: {absent[name]}.")
        elif name in simple:
            made.arms.append(simple[name]())
        else:
            _without(*steps[name], pool, folder, kept, made)
    there = {arm.name for arm in made.arms}
    for name in _named(pool, [name for name in wanted or () if name != WITHOUT]):
        if name not in there:
            reason = next(note for note in made.notes if note.startswith(f"There is no arm {name}: "))
            raise InputError(f"{reason[:-1]}; leave it out of --arms")
    if pool.relatives:
        made.notes.append(f"{pool.relatives} rejected records are left out, for they give held-out ones away.")
    return made


def _absent(gone: int, kept: int, named: bool) -> dict[str, str]:
    """Arms of rejected rows that are not there, and why."""
    if not gone:
        return dict.fromkeys((RANDOM, REJECTED), "no filter rejected a record with an answer")
    if named or gone >= WORTH * kept:
        return {}
    rows = f"{gone} {'row' if gone == 1 else 'rows'} beside {kept} kept ones would say little"
    return {REJECTED: f"{rows}; --arms names it all the same, then set --tokens"}


def _named(pool: Pool, wanted: Sequence[str] | None) -> list[str]:
    """Full names in the order of the table; a filter may be named by its kind, and `without` alone means each."""
    titles = [step.title for step, _ in pool.filters]
    by_filters = [f"{WITHOUT} {title}" for title in titles]
    every = [KEPT, RANDOM, REJECTED, SHUFFLED, *by_filters]
    needs = {RANDOM, REJECTED, WITHOUT, *by_filters}
    if not titles and (wanted is None or needs & set(wanted)):
        raise InputError(
            "the run has no filter that could be proved; add some to its recipe, or ask for the rest: --arms "
            f"{KEPT},{SHUFFLED}"
        )
    if wanted is None:
        return every
    chosen: set[str] = set()
    for name in wanted:
        kinds = [f"{WITHOUT} {step.title}" for step, work in pool.filters if name == f"{WITHOUT} {work.kind}"]
        found = by_filters if name == WITHOUT else [name] if name in every else kinds
        if not found and name != BASE:
            raise InputError(f"there is no arm {name!r}; {nearest(name, (BASE, *every))}")
        chosen |= set(found)
    return [name for name in every if name in chosen]


def _without(step: Step, work: Filter, pool: Pool, folder: Path, kept: pl.DataFrame, made: Arms) -> None:
    """Add the arm of what would be there had this filter not judged."""
    name = f"{WITHOUT} {step.title}"
    back, unjudged = comes_back(step, pool, folder)
    rows = sft_rows(back)
    if rows.is_empty():
        made.notes.append(f"There is no arm {name}: that filter alone kept no row away.")
        return
    made.arms.append(Arm(name, pl.concat([kept, rows]), step))
    if unjudged:
        made.notes.append(f"{', '.join(unjudged)}: takes a model, so did not judge what comes back {name}.")


def comes_back(step: Step, pool: Pool, folder: Path) -> tuple[pl.DataFrame, list[str]]:
    """The records that a filter rejected and no later one would, as they came; and the later filters that take a model
    and were not asked. Later filters judge them behind all that they have judged, from stored measurements."""
    left = pool.rejected.filter(pl.col("stage") == step.title).select(list(SCHEMA))
    unjudged: list[str] = []
    for later, work in _behind(step, pool):
        if left.is_empty():
            break
        if work.asks_model() or work.asks_engine():
            unjudged.append(later.title)
            continue
        before = stored(later, folder)
        both = pl.concat([before, with_ids(work.measure(left), left).select(before.columns)], how="vertical_relaxed")
        left = left.filter(decided(work, both)["reason"].tail(left.height).is_null())
    return left, unjudged


def _behind(step: Step, pool: Pool) -> Iterator[tuple[Step, Filter]]:
    """The filters that a record meets after this one: of its own source, then over the mixture."""
    at = pool.steps.index(step)
    for later, work in pool.filters:
        if pool.steps.index(later) > at and later.source in (step.source, ""):
            yield later, work


def shuffled(rows: pl.DataFrame, dice: random.Random) -> pl.DataFrame:
    """The same prompts and answers, each answer with another row's prompt: one round of all rows (Sattolo)."""
    order = list(range(rows.height))
    for at in range(len(order) - 1, 0, -1):
        other = dice.randrange(at)
        order[at], order[other] = order[other], order[at]
    return rows.with_columns(rows["completion"].gather(order))


def sft_rows(records: pl.DataFrame) -> pl.DataFrame:
    """The rows that records give for imitation, best answer each; records without an answer give none."""
    slices = (from_table(part.select(list(SCHEMA))) for part in records.iter_slices(SLICE))
    tables = [pl.DataFrame(list(VIEW.rows(part)), schema=VIEW.schema) for part in slices]
    return pl.concat([pl.DataFrame(schema=VIEW.schema), *tables])


def held_out_rows(records: pl.DataFrame, most: int, seed: int) -> tuple[pl.DataFrame, list[int]]:
    """Rows to measure on, so many at most, drawn by the seed; and of each the group it is in."""
    told = [VIEW.why_not(record) is None for record in from_table(records.select(list(SCHEMA)))]
    answered = records.filter(pl.Series(told, dtype=pl.Boolean))
    if answered.height > most:
        drawn = Dice(seed, "prove").random("held out").sample(range(answered.height), most)
        answered = answered[sorted(drawn)]
    return sft_rows(answered), answered["group"].to_list()
