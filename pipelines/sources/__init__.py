"""Records from files, in the layouts people have: every row a record, or set aside with the reason."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.factory.files import check_file, rows_of
from tuneworks.factory.record import Record, Rejected
from tuneworks.pipelines.sources.layouts import parse

__all__ = ["check_file", "read_file", "read_rows"]


def read_file(name: str, source: str, stage: str) -> Iterator[Record | Rejected]:
    """Every row in order. Raises InputError that names the file and the row."""
    path = Path(name).expanduser()
    empty = True
    for item in read_rows(rows_of(path), str(path), source, stage):
        empty = False
        yield item
    if empty:
        raise InputError(f"the file {path} holds no rows; name one that does")


def read_rows(rows: Iterable[tuple[int, object]], place: str, source: str, stage: str) -> Iterator[Record | Rejected]:
    """Numbered rows of a place as records; the fact `layout` says how each was read."""
    for number, row in rows:
        for parsed in parse(row, f"row {number} of {place}"):
            meta = {**parsed.facts, "layout": parsed.layout, "row": number}
            record = Record.born(parsed.prompt, answers=parsed.answers, source=source, meta=meta)
            yield record if parsed.reason is None else Rejected(record, stage, parsed.reason)
