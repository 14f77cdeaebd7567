"""The rows of a release as hashes: what two releases are compared by, without holding a text of either."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.quoting import one_line
from tuneworks.pipelines.release.places import Release

ID, COMPLETION, CONTENT = "id", "completion", "content"

SPLIT, ORDINAL = "split of the row", "number of the copy"

SLICE = 50_000
"""Rows whose texts are in memory at once."""

_SHARD = re.compile(r"-\d+-of-\d+$")


@dataclass(frozen=True, slots=True)
class Contents:
    """A configuration: its Parquet files by split, and the columns that all of them have, with their types."""

    release: Release
    splits: dict[str, list[Path]]
    schema: pl.Schema

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.schema)


def contents(release: Release) -> dict[str, Contents]:
    """What lies in the folder, whatever its manifest says, by configuration."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in sorted(release.folder.glob("*/*.parquet")):
        if not path.parent.name.startswith("."):
            split = _SHARD.sub("", path.stem)
            found.setdefault(path.parent.name, {}).setdefault(split, []).append(path)
    if not found:
        raise InputError(
            f"{release.place} holds no Parquet files by configuration; name a dataset that Tuneworks wrote"
        )
    return {name: Contents(release, splits, _schema(release, splits)) for name, splits in found.items()}


def _schema(release: Release, splits: dict[str, list[Path]]) -> pl.Schema:
    schemas = []
    for path in (path for paths in splits.values() for path in paths):
        with readable(release, path):
            schemas.append(pl.scan_parquet(path, glob=False).collect_schema())
    common = {name: kind for name, kind in schemas[0].items() if all(held.get(name) == kind for held in schemas)}
    return pl.Schema(common)


def spoken(held: Contents) -> dict[str, pl.Expr | None]:
    """The text of each column but the id: of a conversation all that is said in it. None for other columns."""
    return {name: _spoken(name, kind) for name, kind in held.schema.items() if name != ID}


def _spoken(name: str, kind: pl.DataType) -> pl.Expr | None:
    if kind == pl.String():
        return pl.col(name)
    inner = kind.inner if isinstance(kind, pl.List) else None
    if isinstance(inner, pl.Struct) and any(field.name == CONTENT for field in inner.fields):
        return pl.col(name).list.eval(pl.element().struct.field(CONTENT)).list.join("\n")
    return None


@contextmanager
def readable(release: Release, path: Path) -> Iterator[None]:
    """What cannot be read in here is an InputError that says how to look for more."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path} cannot be read ({one_line(error)}); see what else is wrong with: tuneworks verify {release.place}"
        ) from error


def slices(held: Contents, columns: Sequence[str | pl.Expr]) -> Iterator[tuple[str, pl.DataFrame]]:
    """(split, some of its rows), so many at a time that memory does not grow with the release."""
    for split, paths in held.splits.items():
        for path in paths:
            with readable(held.release, path):
                table = pl.scan_parquet(path, glob=False)
                for at in range(0, int(table.select(pl.len()).collect().item()), SLICE):
                    yield split, table.slice(at, SLICE).select(columns).collect()


def hashed(held: Contents | None, columns: Sequence[str]) -> pl.DataFrame:
    """A row for each row: its split, its id as it is (null without one), and 64 bits for each other column."""
    row_id = pl.col(ID).cast(pl.String) if ID in columns else pl.lit(None, pl.String).alias(ID)
    wanted = [row_id, *(pl.col(name).hash() for name in columns if name != ID)]
    frames = [table.with_columns(pl.lit(split).alias(SPLIT)) for split, table in (slices(held, wanted) if held else ())]
    others = {name: pl.UInt64() for name in columns if name != ID}
    return pl.concat([pl.DataFrame(schema={ID: pl.String(), **others, SPLIT: pl.String()}), *frames])


def key_of(one: pl.DataFrame, other: pl.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    """What tells rows apart: the id; where a split has several rows of one id, the id and the completion; where there
    is no id, everything."""
    if ID not in columns:
        return tuple(columns)
    alone = all(not rows.select(pl.struct(SPLIT, ID).is_duplicated().any()).item() for rows in (one, other))
    return (ID,) if alone or COMPLETION not in columns else (ID, COMPLETION)
