"""Reading a journal that a build may be writing: what it holds, and the call that wrote a text."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneworks.factory.journal.schema import damaged, for_reading, readable

FAILURES, SLOWEST = 5, 5
"""The most frequent failures and the slowest calls that are shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The calls of one engine."""

    engine: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float
    """How long each call took until its reply, summed: calls that were under way together count each for itself."""
    failures: int


@dataclass(frozen=True, slots=True)
class Paid:
    """What one run paid for; the name is empty for calls of before runs were noted."""

    run: str
    calls: int
    tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Failed:
    engine: str
    error: str
    times: int


@dataclass(frozen=True, slots=True)
class Retried:
    """Attempts that failed and were made again, of one kind."""

    engine: str
    error: str
    times: int
    seconds: float
    """The time it cost."""


@dataclass(frozen=True, slots=True)
class Slow:
    seconds: float
    prompt: str
    key: str


@dataclass(frozen=True, slots=True)
class Waited:
    """A batch that is with a server."""

    engine: str
    batch_id: str | None
    calls: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All of one moment."""

    asked: list[Asked]
    paid: list[Paid]
    failed: list[Failed]
    retried: list[Retried]
    slowest: list[Slow]
    batches: list[Waited]
    repeated: int
    """Finished calls that were made again: always 0."""


_ASKED = """
SELECT engine, sum(calls), sum(prompt_tokens), sum(completion_tokens), sum(usd), sum(seconds), sum(failures) FROM (
    SELECT engine, count(*) AS calls, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
           sum(usd) AS usd, sum(seconds) AS seconds, 0 AS failures FROM calls GROUP BY engine
    UNION ALL SELECT engine, 0, 0, 0, 0.0, 0.0, count(*) FROM failures GROUP BY engine
) GROUP BY engine ORDER BY sum(calls) DESC, engine
"""
_PAID = (
    "SELECT run, count(*), sum(prompt_tokens + completion_tokens), sum(usd) FROM calls GROUP BY run ORDER BY min(id)"
)
_FAILED = "SELECT engine, error, count(*) FROM failures GROUP BY engine, error ORDER BY count(*) DESC, error LIMIT ?"
_RETRIED = "SELECT engine, error, times, seconds FROM retries ORDER BY seconds DESC, engine, error"
_SLOWEST = "SELECT seconds, request, key FROM calls ORDER BY seconds DESC, id LIMIT ?"
_BATCHES = """
SELECT engine, id, json_array_length(keys) FROM batches WHERE state != 'finished' ORDER BY rowid
"""


def summary(path: Path) -> Summary:
    with opened(path) as db:
        db.execute("BEGIN")  # one moment, whatever a build writes meanwhile
        return Summary(
            [Asked(*row) for row in db.execute(_ASKED)],
            [Paid(*row) for row in db.execute(_PAID)],
            [Failed(*row) for row in db.execute(_FAILED, (FAILURES,))],
            [Retried(*row) for row in db.execute(_RETRIED)],
            [Slow(row[0], _prompt(json.loads(row[1])), row[2]) for row in db.execute(_SLOWEST, (SLOWEST,))],
            [Waited(*row) for row in db.execute(_BATCHES)],
            db.execute("SELECT coalesce(sum(times - 1), 0) FROM calls").fetchone()[0],
        )


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The journal, to be read; what is broken in it is one sentence."""
    with closing(readable(path)) as db:
        try:
            yield db
        except sqlite3.Error as error:
            raise damaged(path, error) from error


def _prompt(request: Mapping[str, Any]) -> str:
    messages = request["messages"]
    return str(messages[-1]["content"] if messages else request.get("given", ""))


@dataclass(frozen=True, slots=True)
class Wrote:
    """A call whose reply holds a text: the engine that was asked, and the request as the journal has it."""

    engine: str
    request: Mapping[str, Any]


def wrote(path: Path, text: str) -> Wrote | None:
    """The call in the journal at `path` that wrote this text, plain or inside of JSON, as far as one can be found."""
    if not path.is_file() or not text.strip():
        return None
    in_json = json.dumps(text.strip(), ensure_ascii=False)[1:-1]
    with closing(for_reading(path)) as db:
        row = db.execute(
            "SELECT engine, request FROM calls WHERE instr(text, ?) OR instr(text, ?) ORDER BY length(text) LIMIT 1",
            (text.strip(), in_json),
        ).fetchone()
    return Wrote(row[0], json.loads(row[1])) if row else None
