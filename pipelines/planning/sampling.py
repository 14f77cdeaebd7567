"""What the pilot takes: records drawn from each source, and a mixture in the proportions of the real one.

The records are those that the run itself would have, with their ids. So what a model is asked about them is what the
run would ask, and its replies are found in the journal.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.generator import Generator
from tuneworks.factory.record import SCHEMA, Record, Rejected, to_rejected_table, to_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.making import loaded
from tuneworks.pipelines.recipe import Recipe, Source, Stage
from tuneworks.pipelines.stages import DONE, Step, read_records, write_step

FREE_ROWS = 2000
"""Records drawn where no model is asked about them: filters alone cost little, and more records tell more."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a source holds, counted whole, and how many of its records the pilot took."""

    records: int
    broken: int
    drawn: int


def sample_source(recipe: Recipe, step: Step, source: Source, folder: Path, rows: int) -> Loaded:
    """Write the step that loads a source, with records drawn by the seed in place of all."""
    began = time.monotonic()
    most = None if _grows(source) else _most(source, recipe.stages, rows)
    drawn, records, broken = _drawn(loaded(source, step), most, Dice(recipe.seed, f"pilot {step.title}"))
    write_step(folder / step.folder, step, len(drawn), to_table(drawn), to_rejected_table([]), began)
    return Loaded(records, broken, len(drawn))


def _grows(source: Source) -> bool:
    """Whether the records are examples of a generator with a target: it needs them all, and asks no more for them."""
    first = next((stage for stage in source.stages if isinstance(stage, Generator)), None)
    return hasattr(first, "target")


def _most(source: Source, after: Iterable[Stage], rows: int) -> int:
    """Many where the first stage that asks a model is a generator, for it draws so few of them by itself."""
    asking = next((stage for stage in (*source.stages, *after) if asks(stage)), None)
    return rows if isinstance(asking, Filter) else max(rows, FREE_ROWS)


def asks(stage: Stage) -> bool:
    """Whether a stage runs a model, be it that of an engine or its own."""
    return isinstance(stage, Generator) or stage.asks_model()


def _drawn(items: Iterable[Record | Rejected], most: int | None, dice: Dice) -> tuple[list[Record], int, int]:
    """So many of the records, each as likely as any, in their order; how many there are, and how many are broken."""
    rng, held, records, broken = dice.random("records"), list[tuple[int, Record]](), 0, 0
    for item in items:
        if isinstance(item, Rejected):
            broken += 1
            continue
        records += 1
        if most is None or len(held) < most:
            held.append((records, item))
        elif (place := rng.randrange(records)) < most:
            held[place] = (records, item)
    return [record for _, record in sorted(held, key=lambda pair: pair[0])], records, broken


def sample_mixture(recipe: Recipe, step: Step, folder: Path, expected: Mapping[str, float]) -> None:
    """Write the mixture from what the pilot has of each source, in the proportions in which the run will have them;
    `expected` says how many records of each that is."""
    began, dice = time.monotonic(), Dice(recipe.seed, f"pilot {step.title}")
    befores = zip(recipe.mixed_sources, step.takes, strict=True)
    made = ((name, folder / before) for name, before in befores if (folder / before / DONE).is_file())
    tables = {name: read_records(before) for name, before in made}
    had = {name: table.height for name, table in tables.items() if table.height}
    share = min((had[name] / expected[name] for name in had if expected[name] > 0), default=1.0)
    parts = [pl.DataFrame(schema=SCHEMA)]
    for name, height in had.items():
        count = min(height, max(1, round(share * expected[name])))
        parts.append(tables[name][sorted(dice.random(name).sample(range(height), count))])
    mixed = pl.concat(parts)
    write_step(folder / step.folder, step, mixed.height, mixed, to_rejected_table([]), began)
