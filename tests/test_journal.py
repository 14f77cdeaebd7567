"""The journal's file: it gives back what it took, whole or not at all, and says what was paid."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Completion, Loss, Request, Usage
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Call, Counts, Failure, Journal, key_of
from tuneworks.factory.journal.call import written
from tuneworks.factory.record import Message

ASK = Request((Message("user", "Name a fish."),))


def call(key: str, reply: Completion, engine: str = "e") -> Call:
    return Call(key, engine, written(ASK), reply, 0.1, 1.7e9)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


replies = st.builds(
    Completion,
    st.text(),
    st.sampled_from(["stop", "length", "other"]),
    st.builds(Usage, st.integers(0, 2**40), st.integers(0, 2**40), st.floats(0, 1e6)),
    st.dictionaries(st.text(), st.floats(allow_nan=False)),
    st.none() | st.builds(Loss, st.floats(0, 1e9), st.integers(1, 2**30)),
)


@given(st.lists(st.tuples(st.text(), st.text(st.characters()), replies), unique_by=lambda one: one[:2], max_size=4))
def test_a_journal_gives_back_what_it_took(asked: list[tuple[str, str, Completion]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        requests = [Request(ASK.messages, opening=opening) for _, opening, _ in asked]
        keys = [key_of(engine, request) for (engine, _, _), request in zip(asked, requests, strict=True)]
        assert [journal.held(key) for key in keys] == [None] * len(keys)
        journal.write([Call(key, engine, written(request), reply, 0.5, 1.7e9)
                       for key, (engine, _, reply), request in zip(keys, asked, requests, strict=True)])  # fmt: skip
        assert [journal.held(key) for key in keys] == [reply for _, _, reply in asked]
        journal.close()


def test_a_group_is_written_whole_or_not_at_all(journal: Journal) -> None:
    good, bad = (call(text, Completion(text)) for text in ("fine", "half an emoji: \ud83d"))
    with pytest.raises(UnicodeEncodeError):
        journal.write([good, Failure("k", "e", written(ASK), "too long", 0.1, 1.7e9), bad])
    assert journal.counts() == Counts(0, 0, 0, 0, 0)
    journal.write([good])
    assert journal.counts().calls == 1
    journal.write([good])
    assert (journal.counts().calls, journal.counts().repeated) == (1, 1)


def test_the_last_failure_of_a_call_is_found(journal: Journal) -> None:
    journal.write([Failure("k", "e", written(ASK), error, 0.1, 1.7e9) for error in ("too long", "still too long")])
    assert journal.failed("k") == "still too long"
    assert journal.failed("other") is None
    assert journal.counts().failures == 2


def test_a_run_pays_for_what_it_asked(tmp_path: Path) -> None:
    for run, usd in (("one", 0.25), ("two", 0.5), ("one", 0.125)):
        journal = Journal(tmp_path / "journal.sqlite", run)
        journal.write([call(f"{run} {usd}", Completion("carp", usage=Usage(5, 2, usd)))])
        journal.close()
    journal = Journal(tmp_path / "journal.sqlite", "three")
    assert [journal.spent(run) for run in ("one", "two", "three")] == [(14, 0.375), (7, 0.5), (0, 0.0)]
    journal.close()


def test_a_journal_that_breaks_while_it_is_used_is_one_sentence(journal: Journal) -> None:
    journal._db.executescript("DROP TABLE calls; DROP TABLE batches; DROP TABLE retries;")
    with pytest.raises(InputError, match=r"journal.sqlite cannot be read \(.*\); put back a copy or move it away"):
        journal.held("k")
    with pytest.raises(InputError, match="cannot be written"):
        journal.batches.intend("e", "digest", [])
    with pytest.raises(InputError, match="cannot be written"):
        journal.write_retries("e", {"HTTP 429": (1, 0.5)})
