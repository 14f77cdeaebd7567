"""Reference sets: texts that rows are compared with, such as the seeds, a test set or the last release.

A recipe names one as `builtin` or `builtin-zh` (the seed tasks), a file, `FILE#COLUMN`, or
`hub:OWNER/NAME[/CONFIG][@SPLIT][#COLUMN]`. Of chat messages the prompt counts: all up to the last user message.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import polars as pl

from tuneworks.factory.errors import InputError, MissingExtra
from tuneworks.factory.files import check_file, rows_of
from tuneworks.factory.form import whole_characters
from tuneworks.factory.seeds import seeds_file

COLUMNS = ("instruction", "prompt", "question", "problem", "query", "input", "text", "messages", "conversations")
"""Where no column is named, the first of these that the first row has."""

SEEDS = ("builtin", "builtin-zh")

HUB = "hub:"

Turn = tuple[str, str]
"""Role and content."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The texts of one set, with the number of the row that each comes from, counted from 1; of a file of lines the
    number is the line's. Rows without text are left out."""

    name: str
    rows: Sequence[int]
    texts: Sequence[str]
    talks: Mapping[int, Sequence[Turn]] = field(default_factory=dict)
    """Of texts that end a conversation, by their places: the whole of it."""

    def place(self, at: int) -> str:
        """How a reason names a text."""
        return f"{self.name} row {self.rows[at]}"

    def prompt(self, at: int) -> Sequence[Turn]:
        return self.talks.get(at) or (("user", self.texts[at]),)

    def said(self, at: int, on: str) -> str:
        """What of a prompt is compared: with `on` the instruction its last message, else all but the system's."""
        prompt = self.prompt(at)
        return prompt[-1][1] if on == "instruction" else "\n".join(text for role, text in prompt if role != "system")


def check_references(names: Sequence[str]) -> None:
    """Raise now where a set cannot be read: of a file the first row is looked at, of a Hub dataset its description."""
    for name in names:
        source = _Source.named(name)
        if source.path is None:
            _described(source)
        else:
            _column(source)


def read_references(names: Sequence[str]) -> list[Reference]:
    """Every set in the order named; a set is read again only when its file has changed."""
    return [_read(name, _stamp(name)) for name in names]


def reference_files(names: Sequence[str]) -> tuple[str, ...]:
    """The files among the sets: what a plugin's `reads` has to name so that an edited one makes the step again."""
    sources = [_Source.named(name) for name in names if name not in SEEDS]
    return tuple(str(source.path) for source in sources if source.path is not None)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    column: str | None
    path: Path | None = None
    dataset: str = ""
    config: str | None = None
    split: str | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        if name in SEEDS:
            return cls(name, "instruction", path=seeds_file(name))
        if name.startswith(HUB):
            found = re.fullmatch(r"hub:([^/@#]+/[^/@#]+)(?:/([^/@#]+))?(?:@([^/@#]+))?(?:#(.+))?", name)
            if not found:
                raise InputError(f"{name} names no Hub dataset; write hub:OWNER/NAME[/CONFIG][@SPLIT][#COLUMN]")
            dataset, config, split, column = found.groups()
            return cls(HUB + dataset, column, dataset=dataset, config=config, split=split)
        file, _, column = name.rpartition("#")
        if not file or Path(name).expanduser().is_file():  # a file's own name may hold a "#"
            file, column = name, ""
        return cls(file, column or None, path=Path(file).expanduser())


def _stamp(name: str) -> tuple[int, int]:
    """What changes when the file does."""
    path = _Source.named(name).path
    if path is None:
        return 0, 0
    check_file(str(path))
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=16)
def _read(name: str, stamp: tuple[int, int]) -> Reference:
    source = _Source.named(name)
    rows: list[int] = []
    texts: list[str] = []
    talks: dict[int, Sequence[Turn]] = {}
    for number, value in _values(source):
        turns = _turns(value, source, number)
        text = turns[-1][1] if turns else ""
        if text.strip():
            if len(turns) > 1:
                talks[len(texts)] = turns
            rows.append(number)
            texts.append(text)
    if not texts:
        raise InputError(f"the reference {name} holds no text to compare with; name a set that does")
    return Reference(source.name, rows, texts, talks)


def _turns(value: object, source: _Source, number: int) -> list[Turn]:
    """A prompt: one text as a user message, or chat messages up to the last user message."""
    if value is None:
        return []
    if isinstance(value, str):
        return [("user", whole_characters(value))]
    turns = [_turn(message) for message in value] if isinstance(value, list) else [None]
    said = [turn for turn in turns if turn is not None]
    if len(said) < len(turns):
        raise InputError(
            f"row {number} of {source.name} holds neither text nor chat messages; name another column, as in "
            f"{source.name}#COLUMN"
        )
    last = max((at for at, (role, _) in enumerate(said) if role == "user"), default=-1)
    return said[: last + 1]


def _turn(message: object) -> Turn | None:
    """A message in either spelling, {role, content} or {from, value}; one without content (a call of a tool) says
    nothing."""
    if not isinstance(message, Mapping):
        return None
    role = message.get("role") or message.get("from")
    content = message.get("value") if message.get("content") is None else message["content"]
    if not isinstance(role, str) or not isinstance(content, str | None):
        return None
    return {"human": "user", "gpt": "assistant"}.get(role, role), whole_characters(content or "")


def _values(source: _Source) -> Iterator[tuple[int, object]]:
    if source.path is None:
        rows = _hub_rows(source)
        column = _chosen(source, rows.column_names)
        yield from enumerate(rows[column], 1)
        return
    column = _column(source)
    if source.path.suffix == ".parquet":  # the one column alone: a release holds much else
        yield from enumerate(_parquet(source.path, [column])[column].to_list(), 1)
        return
    for number, row in rows_of(source.path):
        if not isinstance(row, dict):
            raise InputError(f'row {number} of {source.name} is no object; write {{"{column}": "..."}}')
        yield number, row.get(column)


def _column(source: _Source) -> str:
    """The column of a file; raises where there is none."""
    path = source.path
    assert path is not None
    check_file(str(path))
    if path.suffix == ".parquet":
        return _chosen(source, _parquet(path, None, 0).columns)
    row = next((row for _, row in rows_of(path)), None)
    if row is None:
        raise InputError(f"the reference {source.name} holds no rows; name a set that does")
    return _chosen(source, list(row) if isinstance(row, dict) else [])


def _parquet(path: Path, columns: list[str] | None, rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=columns, n_rows=rows)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the file {path} cannot be read ({reason}); check that it is whole") from error


def _chosen(source: _Source, columns: Sequence[str]) -> str:
    there = ", ".join(columns) or "none"
    if source.column is not None:
        if source.column in columns:
            return source.column
        raise InputError(f"{source.name} has no column {source.column}; name one of those it has: {there}")
    for column in COLUMNS:
        if column in columns:
            return column
    raise InputError(f"{source.name} has no column {', '.join(COLUMNS)}; name one, {source.name}#COLUMN, of: {there}")


def _datasets() -> Any:
    if find_spec("datasets") is None:
        raise MissingExtra("datasets", "train", "a reference from the Hub")
    import datasets

    return datasets


def _described(source: _Source) -> None:
    """Ask the Hub for the dataset's description, which names the splits and columns of most."""
    loader = _datasets()
    with _hub_errors(source):
        info = loader.load_dataset_builder(source.dataset, source.config).info
    if info.splits:
        _split(source, list(info.splits))
    if info.features:
        _chosen(source, list(info.features))


def _hub_rows(source: _Source) -> Any:
    loader = _datasets()
    with _hub_errors(source):
        splits = loader.load_dataset(source.dataset, source.config)
    return splits[_split(source, list(splits))]


def _split(source: _Source, splits: Sequence[str]) -> str:
    """The split named; else `test`, or the only one there is."""
    split = source.split or (splits[0] if len(splits) == 1 else "test")
    if split in splits:
        return split
    raise InputError(f"{source.name} has no split {split}; name one with @: {', '.join(splits)}")


@contextmanager
def _hub_errors(source: _Source) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InputError(
            f"the dataset {source.dataset} cannot be loaded ({reason}); check its name, and whether the Hub is in reach"
        ) from error
