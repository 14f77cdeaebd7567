"""The journal: every model call, durable before its reply is used, and never made twice.

One SQLite file a run. The key covers all that can change a reply: the engine's name (model and server), every message
with its role, each sampling setting and the sample's seed. Replies that arrive together are written in one transaction:
an in-process engine's batch is in the journal whole or not at all, so what remains to be asked after a kill is whole
batches too, and they are formed again as they were.
"""

import asyncio
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from tuneworks.factory.engine import Completion, Engine, Request, Usage
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError

_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, engine TEXT NOT NULL, request TEXT NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
    log_probs TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL, times INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (engine TEXT NOT NULL, request TEXT NOT NULL, error TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a journal holds. `repeated` counts finished calls that were made again: always 0."""

    calls: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    repeated: int


class Journal:
    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
        except sqlite3.Error as error:
            raise InputError(
                f"the journal {path} cannot be opened ({error}); move it away or free its folder"
            ) from error

    def held(self, key: str) -> Completion | None:
        row = self._db.execute(
            "SELECT text, finish, log_probs, prompt_tokens, completion_tokens FROM calls WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        return Completion(row[0], row[1], Usage(row[3], row[4]), json.loads(row[2]))

    def write(self, calls: list["Call"]) -> None:
        """All of them or, if the process dies meanwhile, none."""
        with self._db:  # commits at the end, rolls back on an error
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) "
                "ON CONFLICT (key) DO UPDATE SET times = times + 1",
                [call.row() for call in calls],
            )

    def write_failure(self, engine: str, request: Request, error: str) -> None:
        self._db.execute("INSERT INTO failures VALUES (?, ?, ?)", (engine, _written(request), error))

    def counts(self) -> Counts:
        totals = self._db.execute(
            "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), "
            "coalesce(sum(times - 1), 0) FROM calls"
        ).fetchone()
        failures = self._db.execute("SELECT count(*) FROM failures").fetchone()[0]
        return Counts(totals[0], failures, *totals[1:])

    def close(self) -> None:
        self._db.close()


@dataclass(frozen=True, slots=True)
class Call:
    key: str
    engine: str
    request: Request
    reply: Completion
    seconds: float

    def row(self) -> tuple[Any, ...]:
        reply = self.reply
        log_probs: Mapping[str, float] = reply.log_probs
        used = reply.usage
        return (
            self.key, self.engine, _written(self.request), reply.text, reply.finish, json.dumps(dict(log_probs)),
            used.prompt_tokens, used.completion_tokens, round(self.seconds, 3),
        )  # fmt: skip


def _written(request: Request) -> str:
    """What differs from a plain request: a setting that is added later makes no key of an older journal another."""
    held = {f.name: value for f in fields(request) if (value := getattr(request, f.name)) != f.default}
    return json.dumps({**held, "messages": [asdict(m) for m in request.messages]}, ensure_ascii=True, sort_keys=True)


def key_of(engine: str, request: Request) -> str:
    return hashlib.blake2b(f"{engine}\n{_written(request)}".encode(), digest_size=16).hexdigest()


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
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        row = db.execute(
            "SELECT engine, request FROM calls WHERE instr(text, ?) OR instr(text, ?) ORDER BY length(text) LIMIT 1",
            (text.strip(), in_json),
        ).fetchone()
    return Wrote(row[0], json.loads(row[1])) if row else None


def unwritable(error: Exception) -> InputError:
    return InputError(f"the journal cannot be written ({error}); free some disk and build again")


Seen = Callable[[Completion, bool], None]
"""Told of every reply, and whether it came out of the journal."""


class Journaled:
    """An engine around an engine: answers from the journal where it can, else asks, writes down, then answers."""

    def __init__(self, inner: Engine, journal: Journal, seen: Seen = lambda reply, replayed: None) -> None:
        self.name = inner.name
        self.structured = inner.structured
        self._inner = inner
        self._journal = journal
        self._seen = seen
        self._asking: dict[str, asyncio.Task[Completion]] = {}
        self._unwritten: list[Call] = []
        self._written: asyncio.Future[None] | None = None

    async def complete(self, request: Request) -> Completion:
        key = key_of(self.name, request)
        held = self._journal.held(key)
        if held is not None:
            self._seen(held, True)
            return held
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, request))
            task.add_done_callback(partial(self._asked, key))
        return await asyncio.shield(task)

    def _asked(self, key: str, task: "asyncio.Task[Completion]") -> None:
        """Forget the task, and look at its failure: nobody may be waiting for it any more."""
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._inner.close()

    async def _ask(self, key: str, request: Request) -> Completion:
        began = time.perf_counter()
        try:
            reply = await self._inner.complete(request)
        except EngineUnavailable:
            raise
        except EngineError as error:
            self._failed(request, error)
            raise
        self._unwritten.append(Call(key, self.name, request, reply, time.perf_counter() - began))
        if self._written is None:
            # Replies of one batch resume their callers in one pass of the loop; the next pass writes them all.
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            loop.call_soon(self._write)
        await asyncio.shield(self._written)
        self._seen(reply, False)
        return reply

    def _failed(self, request: Request, error: EngineError) -> None:
        try:
            self._journal.write_failure(self.name, request, str(error))
        except sqlite3.Error as full:
            raise unwritable(full) from error

    def _write(self) -> None:
        calls, self._unwritten = self._unwritten, []
        written, self._written = self._written, None
        assert written is not None
        try:
            self._journal.write(calls)
        except Exception as error:  # whatever it is, those who wait must hear of it
            written.set_exception(unwritable(error))
        else:
            written.set_result(None)
