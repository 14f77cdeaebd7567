"""Reading a journal: what it holds, while a build may be writing it."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Call, Failure, Journal, wrote
from tuneworks.factory.journal.call import written
from tuneworks.factory.journal.reading import Asked, Failed, Paid, Retried, Slow, Waited, summary
from tuneworks.factory.record import Message

ASK = Request((Message("user", "Name a fish."),))


def call(number: int, seconds: float = 0.5, engine: str = "e") -> Call:
    reply = Completion(f"reply {number}", usage=Usage(5, 2, 0.25))
    return Call(f"{engine} {number}", engine, written(replace(ASK, seed=number)), reply, seconds, 1.7e9)


def failure(error: str) -> Failure:
    return Failure("k", "f", written(ASK), error, 0.1, 1.7e9)


def test_a_summary_says_what_was_asked_what_it_cost_and_what_went_wrong(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    for run, calls in (("one", [call(1), call(2, 9.0)]), ("two", [call(3), call(3), call(1, engine="f")])):
        journal = Journal(path, run)
        journal.write(calls)
        journal.write_retries("e", {"HTTP 429": (2, 1.5), "HTTP 500": (1, 0.25)})
        journal.close()
    journal = Journal(path)
    journal.write([failure("too long"), failure("no words"), failure("too long")])
    journal.batches.intend("e", "one", ["a", "b"])
    journal.batches.intend("e", "two", ["c"])
    journal.batches.submitted("two", "batch_2")
    journal.batches.intend("e", "three", ["d"])
    journal.batches.finished("three")
    held = summary(path)
    assert held.asked == [Asked("e", 3, 15, 6, 0.75, 10.0, 0), Asked("f", 1, 5, 2, 0.25, 0.5, 3)]
    assert held.paid == [Paid("one", 2, 14, 0.5), Paid("two", 2, 14, 0.5)]
    assert held.failed == [Failed("f", "too long", 2), Failed("f", "no words", 1)]
    assert held.retried == [Retried("e", "HTTP 429", 4, 3.0), Retried("e", "HTTP 500", 2, 0.5)]
    assert held.slowest[0] == Slow(9.0, "Name a fish.", "e 2")
    assert held.batches == [Waited("e", None, 2), Waited("e", "batch_2", 1)]
    assert held.repeated == 1
    journal.close()


def test_reading_while_a_build_writes_sees_whole_groups(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal, seen = Journal(path), list[int]()

    def write() -> None:
        for start in range(0, 600, 6):
            journal.write([call(number) for number in range(start, start + 6)])

    writing = threading.Thread(target=write)
    writing.start()
    while writing.is_alive():
        held = summary(path)
        seen += [one.calls for one in held.asked]
        assert [one.calls for one in held.paid] == [one.calls for one in held.asked]
    writing.join()
    assert [count % 6 for count in seen] == [0] * len(seen)
    assert seen == sorted(seen)
    assert summary(path).asked[0].calls == 600
    journal.close()


def test_no_journal_and_a_damaged_one_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with pytest.raises(InputError, match=r"there is no journal .*journal.sqlite; a build writes one"):
        summary(path)
    journal = Journal(path)
    journal.write([call(number) for number in range(500)])
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"?" * (len(whole) - 8192))
    with pytest.raises(InputError, match=r"journal.sqlite cannot be read \(.*\); put back a copy or move it away"):
        summary(path)


def test_the_call_that_wrote_a_text_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    replies = ["A carp.", '{"task": "Name \\"two\\" fish.\\nIn order."}', "A list: A carp. A pike."]
    journal.write(
        [
            Call(str(n), "engine", written(replace(ASK, seed=n)), Completion(text), 0.1, 1.7e9)
            for n, text in enumerate(replies)
        ]
    )
    found = [wrote(path, text) for text in ("A carp.", 'Name "two" fish.\nIn order.', "A pike.", "A whale.", " ")]
    assert [one and one.request.get("seed", 0) for one in found] == [0, 1, 2, None, None]
    assert found[0] and found[0].request == json.loads(written(ASK))
    assert wrote(tmp_path / "none.sqlite", "A carp.") is None
    journal.close()
