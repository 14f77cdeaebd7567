"""How often a plan holds: ten recipes with ten models, each planned from a pilot and then built whole.

    python benchmarks/plan.py [--trials 10] [--first 0] [--rows 40]

The models are scripted (tests/priced_line.py): how often their tasks are rejected or repeated, how long their answers
are, how long they take, how many requests they work on at a time and what they cost is drawn for each. The build that a
plan is held against has a journal of its own and asks everything. Ends with status 1 where some quantity is outside of
its 90% interval in more than one trial of ten.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from measuring import table
from priced_line import priced_recipe
from silent import Silent

from tuneworks.factory.engine import Completion
from tuneworks.pipelines.planning import Plan, Range, plan
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.run import build
from tuneworks.pipelines.stages import Counts

QUANTITIES = ("calls", "tokens", "usd", "rows", "seconds")


class Counting(Silent):
    """Adds up what a build asked."""

    def __init__(self) -> None:
        self.tokens = 0
        self.rows = 0

    def reply(self, reply: Completion, replayed: bool) -> None:
        self.tokens += reply.usage.prompt_tokens + reply.usage.completion_tokens

    def done(self, title: str, counts: Counts, reused: bool) -> None:
        self.rows = counts.kept


def truth(recipe: Recipe, folder: Path) -> dict[str, float]:
    folder.mkdir()
    counting, began = Counting(), time.monotonic()
    built = asyncio.run(build(recipe, folder, counting))
    seconds = time.monotonic() - began
    return {
        "calls": built.asked, "tokens": counting.tokens, "usd": built.usd, "rows": counting.rows, "seconds": seconds,
    }  # fmt: skip


def ranges(made: Plan) -> dict[str, Range]:
    total = made.total
    assert total.seconds is not None
    found = (total.calls, total.tokens, total.usd, made.rows, total.seconds)
    return dict(zip(QUANTITIES, found, strict=True))


def said(name: str, value: float) -> str:
    return f"{value:.4f}" if name == "usd" else f"{value:.1f}" if name == "seconds" else f"{value:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the number of the first trial")
    parser.add_argument("--rows", type=int, default=40)
    options = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    hits = {name: 0 for name in QUANTITIES}
    widths: dict[str, list[float]] = {name: [] for name in QUANTITIES}
    for trial in range(options.first, options.first + options.trials):
        with tempfile.TemporaryDirectory() as folder:
            recipe = priced_recipe(trial, Path(folder))
            made = asyncio.run(plan(recipe, Path(folder) / "planned", options.rows, Silent()))
            real, expected = truth(recipe, Path(folder) / "whole"), ranges(made)
        cells = []
        for name, held in expected.items():
            inside = held.low <= real[name] <= held.high
            hits[name] += inside
            widths[name].append(held.high / max(held.low, 1e-9))
            interval = f"{said(name, held.low)} to {said(name, held.high)}"
            cells.append(f"{interval}: {said(name, real[name])}{'' if inside else ' OUT'}")
        rows.append((trial, *cells))
    rows.append(("inside", *(f"{hits[name]} of {options.trials}" for name in QUANTITIES)))
    rows.append(("high/low", *(f"{statistics.median(widths[name]):.2f}" for name in QUANTITIES)))
    table(f"Intervals of 90% from pilots of {options.rows} records: truth", ("trial", *QUANTITIES), rows)
    sys.exit(0 if all(10 * hit >= 9 * options.trials for hit in hits.values()) else 1)


if __name__ == "__main__":
    main()
