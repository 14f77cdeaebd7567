"""Verifying a release: every file against the hashes of its manifest, every Parquet file against its row counts.

It tells damage and mix-ups, not forgery: who can change a file can change the manifest beside it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from tuneworks.factory.quoting import one_line
from tuneworks.pipelines.dataset import MANIFEST, sha256
from tuneworks.pipelines.release.places import Release, release_at
from tuneworks.pipelines.run_folder import RECIPE

PARQUET = ".parquet"


@dataclass(frozen=True, slots=True)
class Unreadable:
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Miscount:
    """A split whose files hold another number of rows than the manifest says."""

    configuration: str
    split: str
    said: int
    held: int


@dataclass(frozen=True, slots=True)
class Verified:
    place: str
    files: int
    """Files that are as the manifest says."""
    rows: int
    """Rows that were counted in Parquet files."""
    manifest: str | None
    """What is wrong with the manifest itself, in words that follow "the manifest"."""
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    """Files that the manifest does not name: nothing vouches for them."""
    unreadable: tuple[Unreadable, ...] = ()
    """Parquet files that cannot be read, such as half written ones."""
    miscounted: tuple[Miscount, ...] = ()

    @property
    def whole(self) -> bool:
        problems = self.missing, self.changed, self.extra, self.unreadable, self.miscounted
        return self.manifest is None and not any(problems)


def verified(place: str, runs: Path | None = None) -> Verified:
    """Check a run, a dataset's folder or a repo of the Hub (`owner/name`, `owner/name@revision`)."""
    return verified_release(release_at(place, runs))


def verified_release(release: Release) -> Verified:
    folder, wrong = release.folder, None
    try:
        manifest = _manifest(folder)
    except ValueError as error:
        manifest, wrong = {"files": {}, "rows": {}}, str(error)
    named: Mapping[str, str] = manifest["files"]
    lying = sorted(_files(folder))
    missing = {name for name in named if not (folder / name).is_file()}
    changed, unreadable = _hashed(folder, {name: value for name, value in named.items() if name not in missing})
    counts, broken = _counted(folder, [name for name in lying if name not in unreadable])
    unreadable |= broken
    return Verified(
        place=release.place,
        files=len(named) - len(missing) - len(changed) - len(unreadable.keys() & named.keys() - changed),
        rows=sum(counts.values()),
        manifest=wrong,
        missing=tuple(sorted(missing)),
        changed=tuple(sorted(changed)),
        extra=tuple(name for name in lying if named and name not in named and name != RECIPE),
        unreadable=tuple(Unreadable(name, why) for name, why in sorted(unreadable.items())),
        miscounted=tuple(_miscounts(manifest["rows"], counts, missing | set(unreadable))),
    )


def _hashed(folder: Path, hashes: Mapping[str, str]) -> tuple[set[str], dict[str, str]]:
    """Files with another hash, and files that cannot be read, with the reason."""
    changed, unreadable = set[str](), dict[str, str]()
    for name, value in hashes.items():
        try:
            if sha256(folder / name) != value:
                changed.add(name)
        except OSError as error:
            unreadable[name] = one_line(error)
    return changed, unreadable


def _manifest(folder: Path) -> dict[str, Any]:
    """Raises ValueError in words that follow "the manifest"."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{MANIFEST} is missing")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{MANIFEST} is broken: {one_line(error)}") from error
    if not isinstance(held, dict) or not _texts(held.get("files")) or not _counts(held.get("rows")):
        raise ValueError(f"{MANIFEST} is broken: it has no files with their hashes, or no rows by configuration")
    for name in held["files"]:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{MANIFEST} is broken: it names the file {name}, which lies outside")
    return held


def _texts(files: object) -> bool:
    return isinstance(files, dict) and bool(files) and all(isinstance(value, str) for value in files.values())


def _counts(rows: object) -> bool:
    return isinstance(rows, dict) and all(
        isinstance(splits, dict) and all(isinstance(count, int) for count in splits.values())
        for splits in rows.values()
    )


def _files(folder: Path) -> Iterator[str]:
    """What is no file of the release: the manifest itself, and names with a dot in front, such as .gitattributes of the
    Hub; no reader of datasets looks at those."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() != MANIFEST and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()


def _counted(folder: Path, names: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """The rows of each Parquet file, and those that cannot be read, with the reason."""
    counts, unreadable = dict[str, int](), dict[str, str]()
    for name in names:
        if name.endswith(PARQUET):
            try:
                counts[name] = int(pl.scan_parquet(folder / name, glob=False).select(pl.len()).collect().item())
            except (pl.exceptions.PolarsError, OSError) as error:
                unreadable[name] = one_line(error)
    return counts, unreadable


def _miscounts(
    rows: Mapping[str, Mapping[str, int]], counts: Mapping[str, int], unknown: set[str]
) -> Iterator[Miscount]:
    """Splits of which every file could be read."""
    for configuration, splits in rows.items():
        for split, said in splits.items():
            if not any(belongs(name, configuration, split) for name in unknown):
                held = sum(count for name, count in counts.items() if belongs(name, configuration, split))
                if held != said:
                    yield Miscount(configuration, split, said, held)


def belongs(name: str, configuration: str, split: str) -> bool:
    """Whether a file is that split's, or one of its shards."""
    shard = rf"{re.escape(configuration)}/{re.escape(split)}(-\d+-of-\d+)?{re.escape(PARQUET)}"
    return re.fullmatch(shard, name) is not None
