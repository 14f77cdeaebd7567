"""The journal's tables, how an older journal gets them, and the one writer at a time."""

import fcntl
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO

from tuneworks.factory.errors import InputError
from tuneworks.factory.journal.call import key_for

VERSION = 1
"""Of the tables (SQLite's user_version). Journals of before it counted are 0."""

# Rows stand in the order they came: a new one touches the last page, not one at random as with rows sorted by key. What
# is short comes first, so that sums do not read the texts.
_TABLES = """
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, engine TEXT NOT NULL, run TEXT NOT NULL, at REAL,
    seconds REAL NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, usd REAL NOT NULL,
    loss_nats REAL, loss_tokens INTEGER, times INTEGER NOT NULL DEFAULT 1, finish TEXT NOT NULL,
    log_probs TEXT NOT NULL, text TEXT NOT NULL, request TEXT NOT NULL
);
CREATE TABLE failures (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, engine TEXT NOT NULL, run TEXT NOT NULL, at REAL, seconds REAL,
    error TEXT NOT NULL, request TEXT NOT NULL
);
CREATE INDEX failures_by_key ON failures (key);
CREATE TABLE retries (
    engine TEXT NOT NULL, error TEXT NOT NULL, times INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (engine, error)
) WITHOUT ROWID;
CREATE TABLE batches (
    digest TEXT NOT NULL UNIQUE, id TEXT UNIQUE, engine TEXT NOT NULL, keys TEXT NOT NULL, at REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intended', 'submitted', 'finished'))
);
"""

_FROM_0 = """
ALTER TABLE calls RENAME TO calls_0;
ALTER TABLE failures RENAME TO failures_0;
{tables}
INSERT INTO calls (key, engine, run, seconds, prompt_tokens, completion_tokens, usd, times, finish, log_probs, text,
                   request)
    SELECT key, engine, '', seconds, prompt_tokens, completion_tokens, 0, times, finish, log_probs, text, request
    FROM calls_0;
INSERT INTO failures (key, engine, run, error, request)
    SELECT key_for(engine, request), engine, '', error, request FROM failures_0;
DROP TABLE calls_0;
DROP TABLE failures_0;
"""


class Foreign(Exception):
    """Why a database is no journal that can be used, in words that follow its name."""


def version_of(db: sqlite3.Connection) -> int | None:
    """None for an empty database. Raises Foreign."""
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return None
    if not db.execute("SELECT count(*) FROM pragma_table_info('calls') WHERE name = 'log_probs'").fetchone()[0]:
        raise Foreign("is a database but no journal; name another file")
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise Foreign("was written by a newer Tuneworks; upgrade with: pip install -U tuneworks")
    return version


def locked(path: Path) -> IO[bytes]:
    """Hold off other writers for as long as this file is open; the system closes it when a process dies.

    A file beside the database: closing one of its own would end SQLite's locks on it.
    """
    lock = path.with_name(f"{path.name}-writer").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise InputError(
            f"the journal {path} is in use by another build; wait for it or name another with --journal"
        ) from error
    return lock


def for_writing(path: Path) -> sqlite3.Connection:
    """A connection that is durable at each commit, also when the power fails; the tables are there."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        version = version_of(db)
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        if version != VERSION:
            db.create_function("key_for", 2, key_for, deterministic=True)
            tables = _TABLES if version is None else _FROM_0.format(tables=_TABLES)
            db.executescript(f"BEGIN IMMEDIATE; {tables} PRAGMA user_version={VERSION}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def for_reading(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing. It sees what is committed, also while a build writes."""
    place = f"{path.resolve().as_uri()}?mode=ro"
    db = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        db.close()
        if not isinstance(error, sqlite3.OperationalError) or path.with_name(f"{path.name}-wal").exists():
            raise
        # In a folder that cannot be written SQLite cannot share the file; without a log beside it nobody else has it.
        return sqlite3.connect(f"{place}&immutable=1", uri=True, isolation_level=None, check_same_thread=False)
    return db


def readable(path: Path) -> sqlite3.Connection:
    """A journal opened for reading; one that cannot be read is one sentence."""
    if not path.is_file():
        raise InputError(f"there is no journal {path}; a build writes one")
    with ExitStack() as opening:
        try:
            db = opening.enter_context(closing(for_reading(path)))
            version = version_of(db)
        except Foreign as error:
            raise InputError(f"{path} {error}") from error
        except sqlite3.Error as error:
            raise damaged(path, error) from error
        if version != VERSION:
            raise InputError(
                f"the journal {path} is empty or of an older Tuneworks; any build that uses it brings it up to date, "
                f"such as: tuneworks build RECIPE --journal {path}"
            )
        opening.pop_all()
    return db


def damaged(path: Path, error: sqlite3.Error) -> InputError:
    return InputError(f"the journal {path} cannot be read ({error}); put back a copy or move it away")


def unwritable(error: BaseException) -> InputError:
    return InputError(f"the journal cannot be written ({error}); free some disk and build again")
