"""Where a release is: a run, a dataset's folder, or a repo of the Hub, which is fetched."""

import re
from dataclasses import dataclass
from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.dataset import MANIFEST
from tuneworks.pipelines.hub.client import client, in_sentences
from tuneworks.pipelines.hub.upload import calm
from tuneworks.pipelines.run_folder import DATASET, RECIPE

_REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)

SHORT = 12
"""Characters of a commit that are shown."""


@dataclass(frozen=True, slots=True)
class Release:
    """`folder` holds the dataset, `recipe` what made it, `run` the steps that led to it, where they are at hand."""

    place: str
    folder: Path
    recipe: Path | None
    run: Path | None = None


def release_at(place: str, runs: Path | None = None) -> Release:
    """A folder, the name of a run in `runs`, or `owner/name` or `owner/name@revision` on the Hub."""
    named = [runs / place] if runs is not None else []
    for folder in (Path(place).expanduser(), *named):
        if folder.is_dir():
            return _local(folder)
    if Path(place).is_file():
        raise InputError(f"{place} is a file; name the folder of a run or of a dataset")
    if _REPO.fullmatch(place) is None:
        raise InputError(f"there is no run or folder {place}; give one, or a dataset on the Hub as owner/name")
    repo, _, revision = place.partition("@")
    folder, commit = fetched(repo, revision or None)
    return Release(f"{repo}@{commit[:SHORT]}", folder, _recipe(folder))


def _local(folder: Path) -> Release:
    inner = folder / DATASET
    if (folder / MANIFEST).is_file() or not (inner.is_dir() or (folder / RECIPE).is_file()):
        run = folder.parent if folder.name == DATASET and (folder.parent / RECIPE).is_file() else None
        return Release(str(folder), folder, _recipe(folder) or _recipe(run), run)
    if not inner.is_dir():
        raise InputError(f"the run {folder} has no dataset yet; go on with: tuneworks build {folder / RECIPE}")
    return Release(str(inner), inner, _recipe(inner) or _recipe(folder), folder)


def _recipe(folder: Path | None) -> Path | None:
    return folder / RECIPE if folder is not None and (folder / RECIPE).is_file() else None


def fetched(repo: str, revision: str | None) -> tuple[Path, str]:
    """The folder with a copy of a dataset's repo, and its commit. The commit is asked for first: a stale copy in the
    cache never stands for the repo as it is now."""
    api = client()
    with in_sentences(api, repo, f"fetching {repo}", "repeat it, what is there already is not fetched twice"), calm():
        commit = str(api.dataset_info(repo, revision=revision).sha)
        return Path(api.snapshot_download(repo, repo_type="dataset", revision=commit)), commit
