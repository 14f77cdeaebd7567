"""A release: the files of a run that go to the Hub, each checked, and none beside them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256 as hashed
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl
import yaml

from tuneworks.factory.errors import InputError
from tuneworks.factory.quoting import one_line
from tuneworks.pipelines.dataset import CARD, MANIFEST, sha256
from tuneworks.pipelines.dataset.manifest import MADE_BY
from tuneworks.pipelines.hub.leaving import check_rows, check_text, renamed_in, without_paths
from tuneworks.pipelines.run_folder import DATASET, JOURNAL, LOCK, RECIPE


@dataclass(frozen=True, slots=True)
class Going:
    """A file that goes: where it lies, or, of a text, what of it may leave this machine."""

    name: str
    size: int
    sha256: str
    content: Path | bytes


@dataclass(frozen=True, slots=True)
class Release:
    run: str
    files: tuple[Going, ...]
    stay: tuple[str, ...]
    """What lies in dataset/ beside the files that its manifest names."""


def release(folder: Path) -> Release:
    """What of a run goes to the Hub. Raises InputError where a file is not what the manifest says, or may not go."""
    dataset = folder / DATASET
    manifest = _own_manifest(dataset / MANIFEST, folder)
    named: dict[str, str] = manifest["files"]
    try:
        recipe, paths = without_paths((folder / RECIPE).read_bytes().decode())
        files = {name: _checked(dataset, name, value) for name, value in named.items()}
        texts = _texts(dataset, manifest, recipe, paths)
        for name, text in texts.items():
            check_text(name, text, folder)
        for name in files.keys() - texts.keys():
            check_rows(name, dataset / name)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"a file of the run {folder} cannot be read ({one_line(error)}); see to it, then push again"
        ) from error
    files |= {name: _text(name, text) for name, text in texts.items()}
    return Release(manifest["run"], tuple(files[name] for name in sorted(files)), tuple(_beside(dataset, named)))


def _own_manifest(path: Path, folder: Path) -> dict[str, Any]:
    again = f"tuneworks build {folder / RECIPE} --runs {folder.parent}"
    try:
        manifest = made_here(path.read_bytes().decode())
    except FileNotFoundError as error:
        raise InputError(f"the run {folder} has no dataset yet; finish it with: {again}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the manifest {path} cannot be read ({one_line(error)}); write it with: {again}") from error
    if manifest is None:
        raise InputError(
            f"the manifest {path} is broken or of an earlier version; remove {path.parent} and write it with: {again}"
        )
    return manifest


def made_here(manifest: str) -> dict[str, Any] | None:
    """What a manifest says, if it is one that Tuneworks wrote."""
    try:
        content = json.loads(manifest)
    except (json.JSONDecodeError, RecursionError):
        return None
    ours = isinstance(content, dict) and content.get("made_by") == MADE_BY and isinstance(content.get("run"), str)
    if not ours or not isinstance(content.get("files"), dict):
        return None
    return content if all(isinstance(value, str) for value in content["files"].values()) else None


def _checked(dataset: Path, name: str, value: str) -> Going:
    """A file that the manifest names, if it is one of a dataset and as it was written."""
    path, parts = dataset / name, PurePosixPath(name).parts
    inside = bool(parts) and path.resolve().is_relative_to(dataset.resolve()) and "\\" not in name
    private = any(part.startswith(".") or part.startswith(JOURNAL) or part == LOCK for part in parts)
    if not inside or private or not (name == CARD or name.endswith(".parquet")):
        raise InputError(f"the manifest of {dataset} names {name!r}, which is no file of a dataset; build it again")
    if not path.is_file():
        raise InputError(f"the file {path} is gone; build the dataset again, then push")
    if sha256(path) != value:
        raise InputError(
            f"the file {path} is not what the manifest says: it was changed after it was written; build the dataset "
            "again, then push"
        )
    return Going(name, path.stat().st_size, value, path)


def _texts(dataset: Path, manifest: Mapping[str, Any], recipe: str, paths: Mapping[str, str]) -> dict[str, str]:
    """The texts that go. Where the card loses a path of this machine, the manifest that goes names the new card."""
    texts, told = {RECIPE: recipe}, (dataset / MANIFEST).read_bytes().decode()
    if CARD in manifest["files"]:
        card = (dataset / CARD).read_bytes().decode()
        texts[CARD] = renamed_in(card, paths)
        if texts[CARD] != card:
            told = told.replace(manifest["files"][CARD], hashed(texts[CARD].encode()).hexdigest())
    return texts | {MANIFEST: renamed_in(told, paths)}


def _text(name: str, text: str) -> Going:
    content = text.encode()
    return Going(name, len(content), hashed(content).hexdigest(), content)


def _beside(dataset: Path, named: Mapping[str, str]) -> Iterator[str]:
    for path in sorted(dataset.rglob("*")):
        name = path.relative_to(dataset).as_posix()
        if name not in named and name != MANIFEST and not path.is_dir():
            yield name
