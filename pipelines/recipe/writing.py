"""A recipe as YAML: what a run keeps, and what of it decides what the run makes."""

from collections.abc import Callable
from typing import Any

import yaml

from tuneworks.factory.plugin import Plugin
from tuneworks.pipelines.recipe.recipe import Recipe
from tuneworks.pipelines.recipe.sections import Source

DECIDE_NOTHING = ("limits", "push", "audit")
"""Sections of a recipe that may change without anything being made again."""


def written(recipe: Recipe) -> str:
    """The recipe as YAML with every default filled in: what a run keeps."""
    spelled = _spelled(recipe, lambda plugin: plugin.written())
    return str(yaml.safe_dump(spelled, sort_keys=False, allow_unicode=True, width=120))


def decides(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides what a run makes. An engine's pace, limits and where it goes may change on the way."""
    spelled = _spelled(recipe, lambda plugin: plugin.decides())
    return {name: value for name, value in spelled.items() if name not in DECIDE_NOTHING}


def _spelled(recipe: Recipe, plugin: Callable[[Plugin], object]) -> dict[str, Any]:
    data: dict[str, Any] = recipe.model_dump(mode="json", exclude={"engine", "sources", "stages", "train"})
    data["engine"] = plugin(recipe.engine)
    data["sources"] = {
        name: {**_set(source), "stages": [plugin(stage) for stage in source.stages]}
        for name, source in recipe.sources.items()
    }
    data["stages"] = [plugin(stage) for stage in recipe.stages]
    data["train"] = [plugin(trainer) for trainer in recipe.train]
    return {name: data[name] for name in Recipe.model_fields}


def with_limits(recipe: Recipe, **given: float | None) -> Recipe:
    """The recipe with these limits (tokens, usd, hours, rows) in place of its own; None leaves one as it is."""
    wins = {name: value for name, value in given.items() if value is not None}
    return recipe.model_copy(update={"limits": recipe.limits.model_copy(update=wins)})


def _set(source: Source) -> dict[str, str]:
    """What of a source was written, its stages apart."""
    held = source.model_dump(mode="json", exclude={"stages"}, exclude_defaults=True)
    return {name: str(value) for name, value in held.items()}
