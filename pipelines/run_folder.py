"""A run's folder: what lies where, whose it is, and that one build at a time works on it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.pipelines.recipe import Recipe, decides, load_recipe, written
from tuneworks.pipelines.recipe.writing import DECIDE_NOTHING

RECIPE, JOURNAL, LOCK, DATASET, MODELS = "recipe.yaml", "journal.sqlite", "lock", "dataset", "models"


@contextmanager
def opened(recipe: Recipe, folder: Path, update: bool) -> Iterator[None]:
    """The run's folder, made or checked to be this recipe's, and locked against a second build."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise InputError(
            f"the run's folder {folder} cannot be written ({error.strerror}); name another with --runs"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"another build is at work on {folder}; wait for it or stop it") from error
        _keep_recipe(recipe, folder / RECIPE, update)
        yield


def _keep_recipe(recipe: Recipe, path: Path, update: bool) -> None:
    ours = written(recipe)
    if path.is_file() and not update and path.read_text(encoding="utf-8") != ours:
        changed = _changed(path, recipe)
        if changed:
            raise RecipeError(
                f"the run {path.parent} was made by another recipe (it differs in {', '.join(changed)}); give this one "
                "another name, or add --update to make again what changed"
            )
    path.write_text(ours, encoding="utf-8")


def _changed(path: Path, recipe: Recipe) -> list[str]:
    """In what the recipe that lies here decides otherwise; one that cannot be read here is compared as it stands."""
    try:
        old, new = decides(load_recipe(str(path))), decides(recipe)
    except RecipeError:
        old, new = yaml.safe_load(path.read_text(encoding="utf-8")), yaml.safe_load(written(recipe))
    if not isinstance(old, dict):
        return ["all of it"]
    return [key for key in new if key not in DECIDE_NOTHING and old.get(key) != new[key]]
