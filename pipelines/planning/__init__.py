"""Planning: a small pilot of a recipe, and from it what the run will ask, cost and keep, with intervals.

pilot.py      the recipe made small and built
observed.py   what each step of it showed
forecast.py   the run played through many times, with all drawn anew that the pilot leaves open
outcome.py    the plan
"""

from pathlib import Path

from tuneworks.pipelines.planning.forecast import Forecast
from tuneworks.pipelines.planning.outcome import Expected, PilotCost, Plan, Range, StepPlan
from tuneworks.pipelines.planning.pilot import Pilot, piloted
from tuneworks.pipelines.planning.summing import summed
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.watcher import Watcher

__all__ = ["PILOT_ROWS", "Expected", "PilotCost", "Plan", "Range", "StepPlan", "plan", "planned"]

PILOT_ROWS = 40


async def plan(recipe: Recipe, folder: Path, pilot_rows: int, watcher: Watcher) -> Plan:
    """Build a pilot of so many records under the run's folder, and say what the whole run will take. A pilot that is
    there already is not made again. Its calls are in the run's journal."""
    return planned(recipe, await piloted(recipe, folder, pilot_rows, watcher))


def planned(recipe: Recipe, pilot: Pilot) -> Plan:
    """What follows from a pilot: always the same from the same."""
    return summed(recipe, pilot.cost, Forecast(recipe).played(pilot.steps))
