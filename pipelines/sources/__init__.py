"""Records from files, in the layouts people have: every row a record, or set aside with the reason."""

from collections.abc import Iterator
from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.factory.files import check_file, rows_of
from tuneworks.factory.record import Record, Rejected
from tuneworks.pipelines.sources.layouts import parse

__all__ = ["check_file", "read_file"]


def read_file(name: str, source: str, stage: str) -> Iterator[Record | Rejected]:
    """Every row in order; the fact `layout` says how it was read. Raises InputError that names the file and the row."""
    path = Path(name).expanduser()
    empty = True
    for number, row in rows_of(path):
        empty = False
        for parsed in parse(row, f"row {number} of {path}"):
            meta = {**parsed.facts, "layout": parsed.layout, "row": number}
            record = Record.born(parsed.prompt, answers=parsed.answers, source=source, meta=meta)
            yield record if parsed.reason is None else Rejected(record, stage, parsed.reason)
    if empty:
        raise InputError(f"the file {path} holds no rows; name one that does")
