"""The rows of a file, one after the other, whatever kind of file it is."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl

from tuneworks.factory.errors import InputError

KINDS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", ".csv", ".tsv")

TSV_COLUMNS = ("question", "answer", "reasoning")
"""What the columns of a .tsv file are: FLAN's chain-of-thought files (arXiv:2301.13688) have no header."""


def check_file(name: str) -> None:
    """Raise if the file cannot be read, without reading all of it."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(f"there is no file {path}; correct its path in the recipe")
    if not path.name.endswith(KINDS):
        raise InputError(f"the file {path} is of no kind that is read; give one that ends in {', '.join(KINDS)}")


def rows_of(path: Path) -> Iterator[tuple[int, object]]:
    """(number, row), from 1; of lines the number is the line's. Raises InputError where the file is not whole."""
    check_file(str(path))
    try:
        if path.suffix == ".parquet":
            yield from enumerate(pl.read_parquet(path).iter_rows(named=True), 1)
        elif path.suffix == ".csv":  # everything as text: an answer 007 is no number
            yield from enumerate(pl.read_csv(path, infer_schema=False).iter_rows(named=True), 1)
        else:
            with _opened(path) as text:
                yield from _text_rows(path, text)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the file {path} cannot be read ({reason}); check that it is whole") from error


def _opened(path: Path) -> IO[str]:
    # Only "\n" ends a line: JSON may hold other line breaks inside of its strings, and so may a cell.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
    return path.open(encoding="utf-8-sig", newline="\n")


def _text_rows(path: Path, text: IO[str]) -> Iterator[tuple[int, object]]:
    if path.suffix == ".tsv":
        return _cells(path, text)
    if path.name.endswith((".json", ".json.gz")):
        return enumerate(_json_list(path, text), 1)
    return _json_lines(path, text)


def _json_list(path: Path, text: IO[str]) -> list[object]:
    try:
        rows = json.loads(text.read())
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"the file {path} is not JSON ({error}); for one object a line, call it .jsonl") from error
    if not isinstance(rows, list):
        raise InputError(f"the file {path} is not a list of rows; wrap the rows in [ ]")
    return rows


def _json_lines(path: Path, text: IO[str]) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise InputError(
                    f"line {number} of {path} is not JSON ({error}); correct or remove that line"
                ) from error


def _cells(path: Path, text: IO[str]) -> Iterator[tuple[int, object]]:
    r"""Tabs apart, no quoting; a line break inside of a cell is written \n."""
    for number, line in enumerate(text, 1):
        cells = [cell.replace("\\n", "\n") for cell in line.rstrip("\r\n").split("\t")]
        if len(cells) == len(TSV_COLUMNS):
            yield number, dict(zip(TSV_COLUMNS, cells, strict=True))
        elif line.strip():
            raise InputError(
                f"line {number} of {path} has {len(cells)} columns; a .tsv file has {len(TSV_COLUMNS)} and no header: "
                f"{', '.join(TSV_COLUMNS)}"
            )
