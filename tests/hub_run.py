"""A scripted run, whole, as it goes to a Hub."""

import asyncio
from pathlib import Path

import pytest
from hub_repos import HubServer
from scripted_line import RECIPE, scripted_recipe
from silent import Silent

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.dataset.manifest import MANIFEST, write_manifest
from tuneworks.pipelines.hub.push import Pushed, push
from tuneworks.pipelines.run import build
from tuneworks.pipelines.run_folder import DATASET, opened

REPO = "tester/tasks"


def built_run(runs: Path, text: str = RECIPE) -> Path:
    recipe = scripted_recipe(text)
    folder = runs / recipe.name
    with opened(recipe, folder, update=True):
        asyncio.run(build(recipe, folder, Silent()))
    return folder


def list_again(folder: Path) -> None:
    """Let the manifest name what lies in the dataset now."""
    dataset = folder / DATASET
    (dataset / MANIFEST).unlink()
    write_manifest(dataset, folder.name, {})


def local_files(folder: Path) -> dict[str, bytes]:
    """What is to lie on the Hub, of a run whose recipe and card hold nothing of this machine."""
    dataset = folder / DATASET
    files = {path.relative_to(dataset).as_posix(): path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    return dict(sorted({**files, "recipe.yaml": (folder / "recipe.yaml").read_bytes()}.items()))


def pushed(run: Path, repo: str = REPO, **options: bool) -> tuple[Pushed, str]:
    """What came of it, and what was told on the way."""
    told: list[str] = []
    return push(run, repo, told=told.append, **options), "\n".join(told)


def refusal(run: Path, repo: str = REPO, **options: bool) -> str:
    with pytest.raises(InputError) as raised:
        push(run, repo, told=lambda line: None, **options)
    return str(raised.value)


def titles(hub: HubServer, repo: str = REPO) -> list[str]:
    return [commit.title for commit in hub.repos[repo].commits]
