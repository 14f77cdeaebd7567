"""Pinning: a run keeps to the commit of each dataset of the Hub that it was first built from."""

from pathlib import Path

from tuneworks.factory.errors import RecipeError
from tuneworks.pipelines.hub.source import resolved
from tuneworks.pipelines.recipe import Recipe, Source, load_recipe
from tuneworks.pipelines.run_folder import RECIPE


def pinned(recipe: Recipe, folder: Path, update: bool = False) -> Recipe:
    """The recipe with the commit of every source on the Hub: that of the run that lies here, else the one that its
    revision is now. An update takes what is there now."""
    if not any(source.hub for source in recipe.sources.values()):
        return recipe
    before = {} if update else _sources(folder)
    sources = {name: _pinned(source, before.get(name)) for name, source in recipe.sources.items()}
    return recipe.model_copy(update={"sources": sources})


def _sources(folder: Path) -> dict[str, Source]:
    try:
        return load_recipe(str(folder / RECIPE)).sources if (folder / RECIPE).is_file() else {}
    except RecipeError:
        return {}


def _pinned(source: Source, before: Source | None) -> Source:
    if source.hub is None or source.commit is not None:
        return source
    named = ("hub", "config", "split", "revision")
    if before is not None and all(getattr(before, name) == getattr(source, name) for name in named):
        return source.model_copy(update={"commit": before.commit})
    return source.model_copy(update={"commit": resolved(source.hub, source.revision)})
