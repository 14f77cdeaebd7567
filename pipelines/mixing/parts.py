"""The parts of a run's mixture: the last step of each source that is mixed."""

from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.filters.perplexity import Perplexity
from tuneworks.pipelines.mixing.mixture import MIXTURE, Given, Part, noted
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.stages import DONE, MEASURES, RECORDS, Step, steps_of


def parts_of(recipe: Recipe, folder: Path) -> list[Part]:
    steps = steps_of(recipe)
    ends = dict(zip(recipe.mixed_sources, _mixed(steps).takes, strict=True))
    measured = {s.source: folder / s.folder / MEASURES for s in steps if isinstance(s.work, Perplexity) and s.source}
    return [
        Part(name, folder / end / RECORDS, recipe.sources[name].licence, measured.get(name))
        for name, end in ends.items()
    ]


def mixture_made(recipe: Recipe, folder: Path) -> tuple[Mix, list[Given]]:
    """What each source gave in a run that is made up to its mixture."""
    step = folder / _mixed(steps_of(recipe)).folder
    if not (step / DONE).is_file() or not (step / MIXTURE).is_file():
        raise InputError(f"the sources of {folder} are not mixed yet; make them with: tuneworks build")
    return noted(step)


def _mixed(steps: list[Step]) -> Step:
    return next(step for step in steps if step.work is None)
