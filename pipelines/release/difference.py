"""Two releases compared: rows added, removed, changed and moved to another split; the recipe; what has shifted.

Rows are compared by hashes of 64 bits a column, so that memory holds some hundred bytes a row, one configuration at a
time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.release import recipes
from tuneworks.pipelines.release.contents import ID, ORDINAL, SPLIT, Contents, contents, hashed, key_of
from tuneworks.pipelines.release.excerpts import Excerpt, excerpts
from tuneworks.pipelines.release.places import release_at
from tuneworks.pipelines.release.shifts import Shift, shifts, source_shifts

OTHER = " in the other"


@dataclass(frozen=True, slots=True)
class Compared:
    """One configuration in two releases. A row that moved may have changed, too; `same` ones did neither."""

    configuration: str
    rows: tuple[int, int]
    same: int
    added: Mapping[str, int]
    """By split, as `removed`."""
    removed: Mapping[str, int]
    changed: int
    """Rows with the same key and other content."""
    columns: Mapping[str, int]
    """In how many rows which column changed."""
    moved: Mapping[tuple[str, str], int]
    """By the split a row was in and the one it is in."""
    key: tuple[str, ...]
    """The columns that told rows apart."""
    columns_gone: tuple[str, ...]
    columns_new: tuple[str, ...]
    examples: Mapping[str, tuple[Excerpt, ...]]
    """Of added, removed, changed and moved rows."""

    @property
    def equal(self) -> bool:
        touched = self.added, self.removed, self.changed, self.moved, self.columns_gone, self.columns_new
        return not any(touched)


@dataclass(frozen=True, slots=True)
class Difference:
    a: str
    b: str
    configurations: tuple[Compared, ...]
    recipe: tuple[recipes.Change, ...]
    without_recipe: tuple[str, ...]
    """Releases beside which no recipe lies, so that recipes were not compared."""
    shifts: tuple[Shift, ...]

    @property
    def equal(self) -> bool:
        return all(compared.equal for compared in self.configurations) and not self.recipe


def difference(a: str, b: str, runs: Path | None = None) -> Difference:
    """Compare two runs, datasets' folders or repos of the Hub (`owner/name`, `owner/name@revision`)."""
    one, other = release_at(a, runs), release_at(b, runs)
    before, after = contents(one), contents(other)
    names = list(dict.fromkeys([*before, *after]))
    both = [(name, before.get(name), after.get(name)) for name in names]
    changes = recipes.changes(one.recipe, other.recipe) if one.recipe and other.recipe else ()
    return Difference(
        a=one.place,
        b=other.place,
        configurations=tuple(compared(*configuration) for configuration in both),
        recipe=changes,
        without_recipe=tuple(release.place for release in (one, other) if release.recipe is None),
        shifts=(*source_shifts(one, other), *(shift for configuration in both for shift in shifts(*configuration))),
    )


def compared(name: str, before: Contents | None, after: Contents | None) -> Compared:
    """A configuration that only one of them has is all removed, or all added."""
    held = [side.columns for side in (before, after) if side is not None]
    columns = [column for column in held[0] if column in held[-1]]
    if not columns:
        raise InputError(f"the two have no column of {name} in common; compare datasets of the same kind")
    one, other = hashed(before, columns), hashed(after, columns)
    key = key_of(one, other, columns)
    values = [column for column in columns if column not in key]
    stayed, one_left, other_left = _matched(one, other, (SPLIT, *key))
    moved, removed, added = _matched(one_left, other_left, key)
    moves = moved.group_by(SPLIT, SPLIT + OTHER).len().sort(SPLIT, SPLIT + OTHER)
    changed = pl.concat([_changed(stayed, values, SPLIT), _changed(moved, values, SPLIT + OTHER)])
    return Compared(
        configuration=name,
        rows=(one.height, other.height),
        same=stayed.height - _changed(stayed, values, SPLIT).height,
        added=_by_split(added),
        removed=_by_split(removed),
        changed=changed.height,
        columns={column: count for column in values if (count := int(changed[column].sum()))},
        moved={(left, entered): count for left, entered, count in moves.iter_rows()},
        key=key,
        columns_gone=_only(before, after),
        columns_new=_only(after, before),
        examples={
            "removed": excerpts(before, removed),
            "added": excerpts(after, added),
            "changed": excerpts(after, changed),
            "moved": excerpts(after, moved.with_columns(pl.col(SPLIT + OTHER).alias(SPLIT))),
        },
    )


def _matched(
    one: pl.DataFrame, other: pl.DataFrame, key: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Rows with the same key, the other's columns beside the one's; then what is left of each. Copies find copies."""
    on = [*key, ORDINAL]
    numbered = [
        rows.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over(key).alias(ORDINAL)) for rows in (one, other)
    ]
    before, after = numbered
    both = before.join(after, on=on, suffix=OTHER, nulls_equal=True, maintain_order="left")
    gone = before.join(after, on=on, how="anti", nulls_equal=True, maintain_order="left")
    new = after.join(before, on=on, how="anti", nulls_equal=True, maintain_order="left")
    return both, gone, new


def _changed(matched: pl.DataFrame, values: Sequence[str], split: str) -> pl.DataFrame:
    """Rows of which a value is another one, with what is: their ids, splits, and a mark for each column."""
    marks = [pl.col(column).ne_missing(pl.col(column + OTHER)) for column in values]
    marked = matched.select(pl.col(ID), pl.col(split).alias(SPLIT), *marks)
    return marked.filter(pl.any_horizontal(values) if values else pl.lit(False))


def _by_split(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows[SPLIT].value_counts().sort(SPLIT).iter_rows())


def _only(one: Contents | None, other: Contents | None) -> tuple[str, ...]:
    """Columns of the first alone, where both have the configuration."""
    if one is None or other is None:
        return ()
    return tuple(column for column in one.columns if column not in other.columns)
