"""The journal's file: what is written into it, and what a build takes out of it."""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneworks.factory.engine import Completion, Loss, Usage
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal.batches import Batches
from tuneworks.factory.journal.call import Call, Failure
from tuneworks.factory.journal.schema import Foreign, damaged, for_reading, for_writing, locked, unwritable

_CALL = (
    "INSERT INTO calls (key, engine, run, at, seconds, prompt_tokens, completion_tokens, usd, loss_nats, loss_tokens, "
    "finish, log_probs, text, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET times = times + 1"
)
_FAILURE = "INSERT INTO failures (key, engine, run, at, seconds, error, request) VALUES (?, ?, ?, ?, ?, ?, ?)"
_RETRIES = (
    "INSERT INTO retries VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET times = times + excluded.times, seconds = seconds + excluded.seconds"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a journal holds. `repeated` counts finished calls that were made again: always 0."""

    calls: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    repeated: int


class Journal:
    """A journal that this process alone writes; others may read it meanwhile."""

    def __init__(self, path: Path, run: str = "") -> None:
        """`run` is the one that pays for the calls that are written from now on."""
        self.path = path
        self.run = run
        try:
            with ExitStack() as opening:
                opening.enter_context(locked(path))
                self._db = opening.enter_context(closing(for_writing(path)))
                self._reads = opening.enter_context(closing(for_reading(path)))
                self._opened = opening.pop_all()
        except Foreign as error:
            raise InputError(f"the journal {path} cannot be used: it {error}") from error
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"the journal {path} cannot be opened ({error}); move it away or free its folder"
            ) from error
        self._lock = threading.Lock()
        self.batches = Batches(self._db, self._lock, self._reads)
        self.thread: Executor = ThreadPoolExecutor(1, "journal")
        """Where commits are waited for."""

    def held(self, key: str) -> Completion | None:
        row = self._row(
            "SELECT text, finish, prompt_tokens, completion_tokens, usd, log_probs, loss_nats, loss_tokens "
            "FROM calls WHERE key = ?",
            key,
        )
        if row is None:
            return None
        text, finish, prompt_tokens, completion_tokens, usd, log_probs, nats, tokens = row
        used, loss = Usage(prompt_tokens, completion_tokens, usd), None if nats is None else Loss(nats, tokens)
        return Completion(text, finish, used, json.loads(log_probs), loss)

    def failed(self, key: str) -> str | None:
        """Why the call could not be answered when it was last made, if that ever was so."""
        row = self._row("SELECT error FROM failures WHERE key = ? ORDER BY id DESC LIMIT 1", key)
        return None if row is None else str(row[0])

    def spent(self, run: str) -> tuple[int, float]:
        """Tokens and USD of all calls that this run paid for."""
        tokens, usd = self._row(
            "SELECT coalesce(sum(prompt_tokens + completion_tokens), 0), coalesce(sum(usd), 0.0) "
            "FROM calls WHERE run = ?",
            run,
        )
        return tokens, usd

    def counts(self) -> Counts:
        totals = self._row(
            "SELECT count(*), (SELECT count(*) FROM failures), coalesce(sum(prompt_tokens), 0), "
            "coalesce(sum(completion_tokens), 0), coalesce(sum(times - 1), 0) FROM calls"
        )
        return Counts(*totals)

    def write(self, kept: Sequence[Call | Failure]) -> None:
        """All of them or, if the process dies meanwhile, none; durable when it returns."""
        calls = [one.row(self.run) for one in kept if isinstance(one, Call)]
        failures = [one.row(self.run) for one in kept if isinstance(one, Failure)]
        with self._lock, self._db:  # commits at the end, rolls back on an error
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_CALL, calls)
            self._db.executemany(_FAILURE, failures)

    def write_retries(self, engine: str, kinds: Mapping[str, tuple[int, float]]) -> None:
        """Add attempts that were made again: by kind of failure how often, and the seconds lost."""
        rows = [(engine, kind, *lost) for kind, lost in kinds.items()]
        try:
            with self._lock, self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(_RETRIES, rows)
        except sqlite3.Error as error:
            raise unwritable(error) from error

    def close(self) -> None:
        """End, after the commit that may be under way."""
        self.thread.shutdown()
        self._opened.close()

    def _row(self, query: str, *values: str) -> Any:
        try:
            return self._reads.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise damaged(self.path, error) from error
