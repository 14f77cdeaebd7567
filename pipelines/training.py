"""The recipe's trainings over the run's dataset, one after the other, each in a folder under models/."""

from pathlib import Path

from rich.console import Console

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.dataset import MANIFEST
from tuneworks.pipelines.recipe import Recipe
from tuneworks.pipelines.recipe.trainings import model_names
from tuneworks.pipelines.run_folder import DATASET, MODELS


def train_all(recipe: Recipe, folder: Path, console: Console) -> None:
    """Trainings that are whole, from the same options, seed and data, are left alone."""
    dataset = _dataset(recipe, folder)
    for name, trainer in zip(model_names(recipe.train), recipe.train, strict=True):
        console.print(f"[bold]Training {name}[/bold]")
        trainer.train(dataset, folder / MODELS / name, recipe.seed, lambda line: _said(console, line))


def show_plan(recipe: Recipe, folder: Path, console: Console) -> None:
    """What `train_all` would do, after all its checks: nothing is trained, and torch is not loaded."""
    dataset = _dataset(recipe, folder)
    for name, trainer in zip(model_names(recipe.train), recipe.train, strict=True):
        console.print(f"[bold]{name}[/bold]")
        for line in trainer.planned(dataset, folder / MODELS / name, recipe.seed):
            _said(console, line)


def _dataset(recipe: Recipe, folder: Path) -> Path:
    dataset = folder / DATASET
    if not (dataset / MANIFEST).is_file():
        raise InputError(f"the run {folder} has no dataset yet; build it first with: tuneworks build")
    if not recipe.train:
        raise InputError(f"the recipe of {folder} names no training; add some under train, then build with --update")
    return dataset


def _said(console: Console, line: str) -> None:
    console.print(f"  {line}", markup=False, highlight=False)
