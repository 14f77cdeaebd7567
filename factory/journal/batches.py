"""Batches that are with a server: a build that was killed finds them again here."""

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from tuneworks.factory.engines.batch_ledger import Ledger, OpenBatch
from tuneworks.factory.journal.schema import unwritable


class Batches(Ledger):
    """The journal's table of batches. What is noted is durable when a method returns."""

    def __init__(self, writing: sqlite3.Connection, lock: AbstractContextManager[object], reads: sqlite3.Connection):
        self._writing = writing
        self._lock = lock
        self._reads = reads

    def intend(self, engine: str, digest: str, keys: list[str]) -> None:
        """Note a batch that is about to be submitted."""
        row = (digest, engine, json.dumps(keys), time.time())
        self._write("INSERT INTO batches (digest, engine, keys, at, state) VALUES (?, ?, ?, ?, 'intended')", row)

    def submitted(self, digest: str, batch_id: str) -> None:
        self._write("UPDATE batches SET id = ?, state = 'submitted' WHERE digest = ?", (batch_id, digest))

    def finished(self, digest: str) -> None:
        """Nothing more is to come from it."""
        self._write("UPDATE batches SET state = 'finished' WHERE digest = ?", (digest,))

    def open(self, engine: str) -> list[OpenBatch]:
        """The batches of an engine that were intended and are not finished, the oldest first."""
        rows = self._reads.execute(
            "SELECT digest, id, keys FROM batches WHERE engine = ? AND state != 'finished' ORDER BY rowid", (engine,)
        )
        return [OpenBatch(digest, batch_id, json.loads(keys)) for digest, batch_id, keys in rows]

    def unanswered(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that the journal holds no reply to."""
        rows = self._reads.execute(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM calls)", (json.dumps(list(keys)),)
        )
        return [key for (key,) in rows]

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        try:
            with self._lock:
                self._writing.execute(statement, row)
        except sqlite3.Error as error:
            raise unwritable(error) from error
