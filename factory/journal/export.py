"""The journal as a table: one row a call, in Parquet, for polars, pandas, DuckDB and others."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from tuneworks.factory.errors import InputError
from tuneworks.factory.journal.reading import opened

ROWS = 2000
"""Calls in memory at a time, and in a row group of the file."""

COLUMNS = pl.Schema(
    {
        "key": pl.String(),
        "engine": pl.String(),
        "run": pl.String(),
        "at": pl.Datetime("ms", "UTC"),
        "seconds": pl.Float64(),
        "prompt_tokens": pl.Int64(),
        "completion_tokens": pl.Int64(),
        "usd": pl.Float64(),
        "finish": pl.String(),
        "messages": pl.List(pl.Struct({"role": pl.String(), "content": pl.String()})),
        "settings": pl.String(),  # a JSON object of what else the request says, keys sorted
        "text": pl.String(),
        "log_probs": pl.List(pl.Struct({"candidate": pl.String(), "log_prob": pl.Float64()})),
        "loss_nats": pl.Float64(),
        "loss_tokens": pl.Int64(),
        "times": pl.Int64(),
    }
)

_CALLS = """
SELECT id, key, engine, run, at, seconds, prompt_tokens, completion_tokens, usd, finish, request, text, log_probs,
       loss_nats, loss_tokens, times
FROM calls WHERE id > ? ORDER BY id LIMIT ?
"""


def export(path: Path, into: Path) -> int:
    """Write the calls of a journal as Parquet, in the order of their replies; returns how many there are."""
    with opened(path) as db:
        try:
            into.parent.mkdir(parents=True, exist_ok=True)
            _write(_scanned(db), into)
        except OSError as error:
            raise InputError(f"{into} cannot be written ({error}); name another file") from error
    return int(pl.scan_parquet(into).select(pl.len()).collect().item())


def _write(calls: pl.LazyFrame, into: Path) -> None:
    """The file is there only when it is whole."""
    part = into.with_name(f"{into.name}.part")
    try:
        calls.sink_parquet(part, row_group_size=ROWS)
        part.replace(into)
    finally:
        part.unlink(missing_ok=True)


def _scanned(db: sqlite3.Connection) -> pl.LazyFrame:
    def tables(*_: Any) -> Iterator[pl.DataFrame]:
        last = 0
        while rows := db.execute(_CALLS, (last, ROWS)).fetchall():
            last = rows[-1][0]
            yield pl.DataFrame([_row(*row[1:]) for row in rows], schema=COLUMNS, orient="row")

    return register_io_source(tables, schema=COLUMNS)


def _row(*row: Any) -> tuple[Any, ...]:
    key, engine, run, at, seconds, asked, answered, usd, finish, request, text, log_probs, *rest = row
    settings = json.loads(request)
    messages = settings.pop("messages")
    written_at = None if at is None else datetime.fromtimestamp(at, UTC)
    candidates = [{"candidate": text, "log_prob": value} for text, value in json.loads(log_probs).items()]
    return (key, engine, run, written_at, seconds, asked, answered, usd, finish, messages,
            json.dumps(settings, ensure_ascii=False, sort_keys=True), text, candidates, *rest)  # fmt: skip
