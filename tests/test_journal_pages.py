"""What `tuneworks journal` prints."""

from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Call, Failure, Journal
from tuneworks.factory.journal.call import written
from tuneworks.factory.record import Message
from tuneworks.pipelines import journal_pages


def printed(path: Path) -> str:
    console = Console(width=160, record=True, quiet=False, file=(path.parent / "said.txt").open("w"))
    journal_pages.journal(console, path)
    return console.export_text()


def test_the_page_of_a_runs_journal(tmp_path: Path) -> None:
    for run, seconds in (("one", 0.5), ("two", 7000.0)):
        journal = Journal(tmp_path / "journal.sqlite", run)
        request = written(Request((Message("user", f"[bold]Name\n{'many ' * 30}fish."),)))
        reply = Completion("A carp.", usage=Usage(12_345, 2, 0.0125))
        journal.write([Call(run, "openai:tiny@http://localhost/v1", request, reply, seconds, 1.7e9)])
        journal.write(
            [Failure("k", "openai:tiny@http://localhost/v1", request, "the [prompt] is too long", 0.1, 1.7e9)]
        )
        journal.write_retries("openai:tiny@http://localhost/v1", {"HTTP 429": (3, 90.0)})
        journal.close()
    journal = Journal(tmp_path / "journal.sqlite")
    journal.batches.intend("e", "digest", ["a", "b"])
    journal.close()
    lines = [" ".join(line.split()) for line in printed(tmp_path / "journal.sqlite").splitlines()]
    assert lines[:2] == [
        "engine calls prompt tokens completion tokens USD model time failures",
        "openai:tiny@http://localhost/v1 2 24,690 4 0.0250 117 min 2",
    ]
    assert lines[lines.index("Who paid") + 2 :][:2] == ["one 1 12,347 0.0125", "two 1 12,347 0.0125"]
    assert lines[lines.index("What could not be answered") + 1] == "2 the [prompt] is too long"
    assert lines[lines.index("What passed, and the time it cost") + 1].startswith("6 HTTP 429, 3 min")
    slowest = lines[lines.index("The slowest calls") + 1]
    assert slowest.startswith("7000.0 s [bold]Name many many") and slowest.endswith("... two")
    assert "(not yet confirmed by the server) 2 calls e" in lines
    assert lines[-1] == "0 finished calls were made again."


def test_an_empty_journal_and_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no journal"):
        printed(tmp_path / "journal.sqlite")
    Journal(tmp_path / "journal.sqlite").close()
    assert printed(tmp_path / "journal.sqlite").startswith("The journal holds no call yet.")


def test_a_journal_is_named_by_its_run_its_folder_or_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "journal.sqlite"  # of a run that was only planned, there is nothing else
    Journal(path).close()
    for name in ("mine", str(tmp_path / "mine"), str(path)):
        assert journal_pages.journal_file(name, tmp_path) == path
    with pytest.raises(InputError, match="there is no run 'yours'"):
        journal_pages.journal_file("yours", tmp_path)


def test_an_empty_journal_is_exported_too(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.sqlite").close()
    assert journal_pages.export(tmp_path / "journal.sqlite", tmp_path / "calls.parquet") == 0
    assert pl.read_parquet(tmp_path / "calls.parquet").height == 0
