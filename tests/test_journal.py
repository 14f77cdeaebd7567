"""The journal: what was asked is not asked again, and what was answered is not lost."""

import asyncio
import math
import sqlite3
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.journal import Call, Counts, Journal, Journaled, key_of, wrote
from tuneworks.factory.record import Message

ASK = Request((Message("user", "Name a fish."),))


def echo(request: Request) -> Completion:
    return Completion(f"reply {request.seed}", "length", Usage(5, 2), {"1": -0.25, "2": -math.inf})


def requests(count: int) -> list[Request]:
    return [replace(ASK, seed=seed) for seed in range(count)]


class Batching:
    """Answers all that wait at once, as a model in this process does."""

    def __init__(self, reply: Callable[[Request], str] = lambda r: f"reply {r.seed}") -> None:
        self.name = "batching"
        self.structured = False
        self.calls = 0
        self._reply = reply
        self._waiting: list[tuple[Request, asyncio.Future[Completion]]] = []

    async def complete(self, request: Request) -> Completion:
        self.calls += 1
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        return await future

    def answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for request, future in waiting:
            if not future.done():
                future.set_result(Completion(self._reply(request)))

    async def close(self) -> None:
        return None


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    def run() -> tuple[list[Completion], int, list[bool], Counts]:
        journal = Journal(tmp_path / "journal.sqlite")
        inner, seen = Scripted(echo), list[bool]()

        async def ask() -> list[Completion]:
            engine = Journaled(inner, journal, lambda reply, replayed: seen.append(replayed))
            replies = await asyncio.gather(*map(engine.complete, requests(7)))
            await engine.close()
            return replies

        replies, counts = asyncio.run(ask()), journal.counts()
        journal.close()
        return replies, len(inner.calls), seen, counts

    first, second = run(), run()
    assert first[0] == second[0] == list(map(echo, requests(7)))
    assert (first[1], second[1]) == (7, 0)
    assert (first[2], second[2]) == ([False] * 7, [True] * 7)
    assert first[3] == second[3] == Counts(7, 0, 35, 14, 0)


def test_equal_requests_in_flight_are_asked_once(tmp_path: Path) -> None:
    inner, journal = Batching(), Journal(tmp_path / "journal.sqlite")

    async def ask() -> list[Completion]:
        engine = Journaled(inner, journal)
        waiting = asyncio.gather(*(engine.complete(r) for r in [*requests(2), *requests(2), ASK]))
        await asyncio.sleep(0.01)
        inner.answer()
        return await waiting

    replies = asyncio.run(ask())
    assert [r.text for r in replies] == ["reply 0", "reply 1", "reply 0", "reply 1", "reply 0"]
    assert inner.calls == 2
    assert journal.counts().calls == 2
    assert journal.counts().repeated == 0


def test_one_who_gives_up_does_not_take_the_reply_from_another(tmp_path: Path) -> None:
    inner, journal = Batching(), Journal(tmp_path / "journal.sqlite")

    async def ask() -> Completion:
        engine = Journaled(inner, journal)
        first, second = (asyncio.create_task(engine.complete(ASK)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        inner.answer()
        return await second

    assert asyncio.run(ask()).text == "reply 0"
    assert inner.calls == 1


def test_a_reply_nobody_waits_for_any_more_is_kept(tmp_path: Path) -> None:
    inner, journal = Batching(), Journal(tmp_path / "journal.sqlite")

    async def ask() -> None:
        waiting = asyncio.create_task(Journaled(inner, journal).complete(ASK))
        await asyncio.sleep(0.01)
        waiting.cancel()
        inner.answer()
        await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert journal.held(key_of("batching", ASK)) == Completion("reply 0")


def test_failures_are_written_and_not_served(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    troubles: list[Exception] = [EngineError("too long"), EngineError("too long"), EngineUnavailable("no server")]

    def reply(request: Request) -> Completion:
        if troubles:
            raise troubles.pop(0)
        return echo(request)

    async def ask() -> Completion:
        return await Journaled(Scripted(reply), journal).complete(ASK)

    for words in ("too long", "too long", "no server"):
        with pytest.raises(EngineError, match=words):
            asyncio.run(ask())
    assert journal.counts() == Counts(0, 2, 0, 0, 0)
    assert asyncio.run(ask()) == echo(ASK)
    assert journal.counts().calls == 1


def test_replies_that_come_together_are_written_together(tmp_path: Path) -> None:
    journal, inner = Journal(tmp_path / "journal.sqlite"), Batching()
    statements: list[str] = []
    journal._db.set_trace_callback(statements.append)
    held: list[int] = []

    async def ask() -> None:
        engine = Journaled(inner, journal, lambda reply, replayed: held.append(journal.counts().calls))
        for batch in (requests(5), [replace(r, temperature=0.0) for r in requests(3)]):
            waiting = asyncio.gather(*map(engine.complete, batch))
            await asyncio.sleep(0.01)
            inner.answer()
            await waiting

    asyncio.run(ask())
    written = [s.split()[0] for s in statements if s.split()[0] in ("BEGIN", "INSERT", "COMMIT")]
    assert written == ["BEGIN", *["INSERT"] * 5, "COMMIT", "BEGIN", *["INSERT"] * 3, "COMMIT"]
    assert held == [5] * 5 + [8] * 3


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    good, bad = (Call(text, "e", ASK, Completion(text), 0.1) for text in ("fine", "half an emoji: \ud83d"))
    with pytest.raises(UnicodeEncodeError):
        journal.write([good, bad])
    assert journal.counts().calls == 0
    journal.write([good])
    assert journal.counts().calls == 1
    journal.write([good])
    assert journal.counts().repeated == 1


def test_what_cannot_be_written_ends_the_wait(tmp_path: Path) -> None:
    async def ask() -> None:
        journal = Journal(tmp_path / "journal.sqlite")
        await asyncio.wait_for(Journaled(Scripted(lambda _: "\ud83d"), journal).complete(ASK), 5)

    with pytest.raises(InputError, match="journal cannot be written"):
        asyncio.run(ask())


def test_a_failure_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    other.execute("DROP TABLE failures")
    other.close()

    def refuse(_: Request) -> Completion:
        raise EngineError("too long")

    with pytest.raises(InputError, match="journal cannot be written"):
        asyncio.run(Journaled(Scripted(refuse), journal).complete(ASK))


def test_closing_ends_what_is_being_asked(tmp_path: Path) -> None:
    async def ask() -> None:
        engine = Journaled(Batching(), Journal(tmp_path / "journal.sqlite"))
        waiting = asyncio.create_task(engine.complete(ASK))
        await asyncio.sleep(0.01)
        await engine.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(ask())


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Buy fish. " * 200)
    with pytest.raises(InputError, match=r"notes.txt cannot be opened .*move it away or free its folder"):
        Journal(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal.sqlite")


CHANGED = {
    "messages": replace(ASK, messages=(Message("system", "Name a fish."),)),
    "opening": replace(ASK, opening="A"),
    "max_tokens": replace(ASK, max_tokens=9),
    "temperature": replace(ASK, temperature=0.5),
    "top_p": replace(ASK, top_p=0.5),
    "presence_penalty": replace(ASK, presence_penalty=0.5),
    "stop": replace(ASK, stop=("x",)),
    "seed": replace(ASK, seed=1),
    "candidates": replace(ASK, candidates=("1",)),
    "schema": replace(ASK, schema="{}"),
}


def test_every_field_and_the_engine_are_in_the_key() -> None:
    assert set(CHANGED) == {field.name for field in fields(Request)}
    keys = [key_of("e", request) for request in CHANGED.values()]
    more = [key_of("e", ASK), key_of("f", ASK), key_of("e", replace(ASK, messages=ASK.messages * 2))]
    assert len({*keys, *more}) == len(CHANGED) + 3


replies = st.builds(
    Completion,
    st.text(),
    st.sampled_from(["stop", "length", "other"]),
    st.builds(Usage, st.integers(0, 2**40), st.integers(0, 2**40)),
    st.dictionaries(st.text(), st.floats(allow_nan=False)),
)


@given(st.text(), st.text(st.characters()), replies)
def test_a_journal_gives_back_what_it_took(engine: str, asked: str, reply: Completion) -> None:
    journal = Journal(Path(":memory:"))
    request = replace(ASK, opening=asked)
    key = key_of(engine, request)
    assert journal.held(key) is None
    journal.write([Call(key, engine, request, reply, 0.5)])
    assert journal.held(key) == reply
    journal.close()


def test_the_call_that_wrote_a_text_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    replies = ["A carp.", '{"task": "Name \\"two\\" fish.\\nIn order."}', "A list: A carp. A pike."]
    calls = [Call(str(n), "engine", replace(ASK, seed=n), Completion(text), 0.1) for n, text in enumerate(replies)]
    journal.write(calls)
    journal.close()
    found = [wrote(path, text) for text in ("A carp.", 'Name "two" fish.\nIn order.', "A pike.", "A whale.", " ")]
    assert [call and call.request.get("seed", 0) for call in found] == [0, 1, 2, None, None]
    assert found[0] and found[0].request["messages"] == [{"role": "user", "content": "Name a fish."}]
    assert wrote(tmp_path / "none.sqlite", "A carp.") is None
