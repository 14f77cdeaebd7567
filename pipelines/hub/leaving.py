"""What may leave this machine: texts without paths of its own, and nothing that holds a secret."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import polars as pl
import yaml

from tuneworks.factory.errors import InputError
from tuneworks.filters.credentials import WORTH, search

_ABSOLUTE = re.compile(r"(?:file://)?(?:/|~[^/\s]*/|[A-Za-z]:[\\/])[^\n]*")
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s/@\"'<>]+@")

_SLICE = 10_000
"""Rows in which secrets are looked for at a time."""


def without_paths(recipe: str) -> tuple[str, dict[str, str]]:
    """The recipe with absolute paths as their names alone, and which path became which name.

    Nobody else has what lies there, and the folders above it say whose machine this is.
    """
    data = yaml.safe_load(recipe)
    names = {path: _name(path) for path in _strings_of(data) if _is_path(path)}
    return (_dumped(_renamed(data, names)), names) if names else (recipe, names)


def _dumped(data: object) -> str:
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))


def _strings_of(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _strings_of(value)
    elif isinstance(data, list):
        for value in data:
            yield from _strings_of(value)


def _renamed(data: Any, names: Mapping[str, str]) -> Any:
    if isinstance(data, str):
        return names.get(data, data)
    if isinstance(data, Mapping):
        return {key: _renamed(value, names) for key, value in data.items()}
    return [_renamed(value, names) for value in data] if isinstance(data, list) else data


def _is_path(text: str) -> bool:
    """An absolute path: one that is here, or has folders in it. A slash at the beginning of a text makes it none."""
    if _ABSOLUTE.fullmatch(text) is None or not _name(text):
        return False
    bare = text.removeprefix("file://")
    return len(re.findall(r"[\\/]", bare)) > 1 or Path(bare).exists()


def _name(path: str) -> str:
    windows = PureWindowsPath(path)
    return windows.name if windows.drive else PurePosixPath(path.removeprefix("file://")).name


def renamed_in(text: str, names: Mapping[str, str]) -> str:
    """The same paths in another text; the longest first, since one may begin another."""
    for path in sorted(names, key=len, reverse=True):
        text = text.replace(path, names[path])
    return text


def check_text(name: str, text: str, run: Path) -> None:
    """Raises InputError that names the line with a secret, a link with a login, or a folder of this machine."""
    for start, what in _unfit(text, run):
        line = text.count("\n", 0, start) + 1
        raise InputError(
            f"line {line} of {name} holds {what}, so nothing was pushed; take it out of the recipe, build again with "
            "--update and push then"
        )


def _unfit(text: str, run: Path) -> Iterator[tuple[int, str]]:
    for login in _LOGIN.finditer(text):
        yield login.start(), "a link with a login in it (user:password@)"
    for finding in search(text):
        yield finding.start, finding.shown
    for folder in {str(Path.home()), str(run.resolve().parent)} - {"/"}:
        named = re.search(rf"(?<![\w.\-/]){re.escape(folder)}(?![\w.\-])", text)
        if named is not None:
            yield named.start(), f"a folder of this machine ({folder})"


def check_rows(name: str, path: Path) -> None:
    """Raises InputError that names the row with a secret, by the same rules as the filter `secrets`."""
    rows = pl.scan_parquet(path)
    for start in range(0, rows.select(pl.len()).collect().item(), _SLICE):
        table = rows.slice(start, _SLICE).collect()
        numbers = pl.Series("row", range(start + 1, start + 1 + table.height), dtype=pl.Int64)
        for column in table.iter_columns():
            for texts in _texts(numbers, column):
                _check_texts(name, texts)


def _check_texts(name: str, texts: pl.DataFrame) -> None:
    for row, text in texts.filter(WORTH).iter_rows():
        for finding in search(text):
            raise InputError(
                f"row {row} of {name} holds {finding.shown}, so nothing was pushed; add the filter secrets to the "
                "recipe's stages, build again with --update and push then"
            )


def _texts(rows: pl.Series, values: pl.Series) -> Iterator[pl.DataFrame]:
    """Every text in a column, however deep it lies in it, with the number of its row."""
    if values.dtype == pl.String:
        yield pl.DataFrame({"row": rows, "text": values}).drop_nulls()
    elif isinstance(values.dtype, pl.List):
        flat = pl.DataFrame({"row": rows, "value": values}).explode("value")
        yield from _texts(flat["row"], flat["value"])
    elif isinstance(values.dtype, pl.Struct):
        for field in values.struct.fields:
            yield from _texts(rows, values.struct.field(field))
