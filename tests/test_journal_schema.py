"""The journal's file: an older one is brought up to date, a foreign one is left alone, and one build writes it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Call, Counts, Journal, key_of
from tuneworks.factory.journal.call import written
from tuneworks.factory.journal.reading import summary
from tuneworks.factory.record import Message

ASK = Request((Message("user", "Name a fish."),))
OLD = """
PRAGMA journal_mode=WAL;
CREATE TABLE calls (
    key TEXT PRIMARY KEY, engine TEXT NOT NULL, request TEXT NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
    log_probs TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL, times INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE TABLE failures (engine TEXT NOT NULL, request TEXT NOT NULL, error TEXT NOT NULL);
INSERT INTO calls VALUES ('6186aaa2b38f1c00d5587d99eef1a336', 'e',
    '{"messages": [{"content": "Name a fish.", "role": "user"}]}', 'carp', 'stop', '{"1": -0.5}', 5, 2, 0.25, 1);
INSERT INTO failures VALUES ('f', '{"messages": [{"content": "Name a fish.", "role": "user"}]}', 'too long');
"""


def old_journal(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(OLD)
    db.close()


def test_an_older_journal_is_brought_up_to_date_and_keeps_its_calls(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    old_journal(path)
    for _ in range(2):
        journal = Journal(path, "new")
        assert journal.held(key_of("e", ASK)) == Completion("carp", "stop", Usage(5, 2), {"1": -0.5})
        assert journal.failed(key_of("f", ASK)) == "too long"
        assert journal.counts() == Counts(1, 1, 5, 2, 0)
        assert journal.spent("new") == (0, 0.0)
        journal.close()
    journal = Journal(path, "new")
    call = Call("k", "e", written(ASK), Completion("pike", usage=Usage(1, 2, 0.5)), 0.1, 1.7e9)
    journal.write([call])
    assert journal.spent("new") == (3, 0.5)
    journal.close()


def test_an_older_journal_is_not_changed_by_who_reads_it(tmp_path: Path) -> None:
    old_journal(tmp_path / "journal.sqlite")
    before = (tmp_path / "journal.sqlite").read_bytes()
    with pytest.raises(InputError, match=r"of an older Tuneworks; any build that uses it brings it up to date"):
        summary(tmp_path / "journal.sqlite")
    assert (tmp_path / "journal.sqlite").read_bytes() == before


def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path) -> None:
    notes, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    notes.write_text("Buy fish. " * 200)
    db = sqlite3.connect(other)
    db.executescript("CREATE TABLE calls (number TEXT)")
    db.close()
    before = notes.read_bytes(), other.read_bytes()
    with pytest.raises(InputError, match=r"notes.txt cannot be opened .*move it away or free its folder"):
        Journal(notes)
    with pytest.raises(InputError, match=r"other.sqlite cannot be used: it is a database but no journal; name another"):
        Journal(other)
    with pytest.raises(InputError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal.sqlite")
    with pytest.raises(InputError, match=r"notes.txt cannot be read"):
        summary(notes)
    with pytest.raises(InputError, match=r"other.sqlite is a database but no journal"):
        summary(other)
    assert (notes.read_bytes(), other.read_bytes()) == before


def test_a_journal_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InputError, match=r"written by a newer Tuneworks; upgrade with: pip install -U tuneworks"):
        Journal(path)


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    in_use = r"journal.sqlite is in use by another build; wait for it or name another with --journal"
    with pytest.raises(InputError, match=in_use):
        Journal(path)
    assert summary(path).asked == []
    journal.close()
    Journal(path).close()


def test_a_killed_writer_leaves_the_journal_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    code = (
        "import sys; from pathlib import Path; from tuneworks.factory.journal import Journal;"
        "journal = Journal(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"open\n"
        with pytest.raises(InputError, match="is in use by another build"):
            Journal(path)
        process.kill()
    Journal(path).close()
