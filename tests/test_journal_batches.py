"""Batches in the journal: what was intended, submitted and finished is found again."""

from pathlib import Path

from tuneworks.factory.engine import Completion
from tuneworks.factory.engines.batch_ledger import Ledger
from tuneworks.factory.journal import Call, Journal, OpenBatch


def test_open_batches_are_found_again_by_their_engine(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    ledger: Ledger = journal.batches
    ledger.intend("e", "one", ["a", "b"])
    ledger.intend("f", "two", ["c"])
    ledger.intend("e", "three", ["d"])
    ledger.submitted("one", "batch_1")
    journal.close()
    journal = Journal(tmp_path / "journal.sqlite")
    assert journal.batches.open("e") == [OpenBatch("one", "batch_1", ["a", "b"]), OpenBatch("three", None, ["d"])]
    journal.batches.finished("one")
    journal.batches.finished("three")
    assert journal.batches.open("e") == []
    assert journal.batches.open("f") == [OpenBatch("two", None, ["c"])]
    journal.close()


def test_keys_without_a_reply(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.write([Call("b", "e", '{"messages": []}', Completion("carp"), 0.1, 1.7e9)])
    assert journal.batches.unanswered(["c", "b", "a"]) == ["c", "a"]
    assert journal.batches.unanswered([]) == []
    journal.close()
