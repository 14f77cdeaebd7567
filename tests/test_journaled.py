"""An engine behind the journal: what was asked is not asked again, and what was answered is not lost."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from waiting_engines import ASK, Batched, Closing, Ending, echo, requests, soon

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import Completion, Engine, EngineOptions, Request, Usage, opened_beside
from tuneworks.factory.engines.batch_ledger import Ledger
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import BudgetReached, EngineError, EngineUnavailable, InputError, MayPass
from tuneworks.factory.journal import Call, Counts, Failure, Journal, Journaled, key_of
from tuneworks.factory.journal.reading import Retried, summary


class Noting(Journal):
    """Notes how much is written at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sizes: list[int] = []

    def write(self, kept: Sequence[Call | Failure]) -> None:
        self.sizes.append(len(kept))
        super().write(kept)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_a_second_run_asks_nothing_and_says_the_same(path: Path) -> None:
    def run() -> tuple[list[Completion], int, list[bool], Counts]:
        journal = Journal(path)
        inner, seen = Scripted(echo), list[bool]()

        async def ask() -> list[Completion]:
            engine = Journaled(inner, journal, lambda reply, replayed: seen.append(replayed))
            replies = await asyncio.gather(*map(engine.complete, requests(7)))
            await engine.close()
            return replies

        replies, counts = soon(ask()), journal.counts()
        journal.close()
        return replies, len(inner.calls), seen, counts

    first, second = run(), run()
    assert first[0] == second[0] == list(map(echo, requests(7)))
    assert (first[1], second[1]) == (7, 0)
    assert (first[2], second[2]) == ([False] * 7, [True] * 7)
    assert first[3] == second[3] == Counts(7, 0, 35, 14, 0)


def test_equal_requests_in_flight_are_asked_once(path: Path) -> None:
    journal = Journal(path)

    async def ask() -> tuple[list[Completion], int]:
        inner = Batched()
        engine = Journaled(inner, journal)
        waiting = asyncio.gather(*(engine.complete(r) for r in [*requests(2), *requests(2), ASK]))
        await inner.under_way.wait()
        inner.answer()
        return await waiting, inner.calls

    replies, calls = soon(ask())
    assert [r.text for r in replies] == ["reply 0", "reply 1", "reply 0", "reply 1", "reply 0"]
    assert calls == 2
    assert (journal.counts().calls, journal.counts().repeated) == (2, 0)


def test_one_who_gives_up_does_not_take_the_reply_from_another(path: Path) -> None:
    async def ask() -> tuple[str, int]:
        inner = Batched()
        engine = Journaled(inner, Journal(path))
        first, second = (asyncio.create_task(engine.complete(ASK)) for _ in range(2))
        await inner.under_way.wait()
        first.cancel()
        await asyncio.wait([first])
        inner.answer()
        return (await second).text, inner.calls

    assert soon(ask()) == ("reply 0", 1)


def test_a_reply_nobody_waits_for_any_more_is_kept(path: Path) -> None:
    journal = Journal(path)

    async def ask() -> None:
        inner = Ending()
        engine = Journaled(inner, journal)
        waiting = asyncio.create_task(engine.complete(ASK))
        await inner.under_way.wait()
        waiting.cancel()
        await engine.close()

    soon(ask())
    assert journal.held(key_of("batched", ASK)) == Completion("reply 0")


def test_a_reply_is_durable_before_it_is_handed_on(path: Path) -> None:
    def in_file() -> int:
        with sqlite3.connect(path) as db:
            return int(db.execute("SELECT count(*) FROM calls").fetchone()[0])

    async def ask() -> list[int]:
        engine, found = Journaled(Scripted(echo), Journal(path)), []
        for request in requests(3):
            await engine.complete(request)
            found.append(in_file())
        return found

    assert soon(ask()) == [1, 2, 3]


def test_replies_that_come_together_are_written_together(path: Path) -> None:
    """Batch after batch, each answered as soon as it is there: no commit ever holds a part of one."""
    journal = Noting(path)

    async def ask() -> None:
        inner = Batched()
        engine = Journaled(inner, journal)
        waiting = list[asyncio.Task[Completion]]()
        for seed in range(0, 350, 7):
            waiting += [asyncio.create_task(engine.complete(replace(ASK, seed=seed + n))) for n in range(7)]
            while inner.calls < seed + 7:
                await asyncio.sleep(0)
            inner.answer()
        await asyncio.gather(*waiting)

    soon(ask())
    assert sum(journal.sizes) == 350
    assert [size % 7 for size in journal.sizes] == [0] * len(journal.sizes)


def test_failures_are_written_and_asked_again(path: Path) -> None:
    journal = Journal(path)
    troubles: list[Exception] = [
        EngineError("too long"),
        EngineError("too long"),
        EngineUnavailable("no server"),
        MayPass("busy"),
        BudgetReached("enough", "tokens"),
    ]

    def reply(request: Request) -> Completion:
        if troubles:
            raise troubles.pop(0)
        return echo(request)

    async def ask() -> Completion:
        return await Journaled(Scripted(reply), journal).complete(ASK)

    for words in ("too long", "too long", "no server", "busy", "enough"):
        with pytest.raises((EngineError, BudgetReached), match=words):
            soon(ask())
    assert journal.counts() == Counts(0, 2, 0, 0, 0)
    assert soon(ask()) == echo(ASK)
    assert journal.counts().calls == 1


def test_what_cannot_be_written_ends_the_wait(path: Path) -> None:
    async def ask() -> None:
        await Journaled(Scripted(lambda _: "\ud83d"), Journal(path)).complete(ASK)

    with pytest.raises(InputError, match="journal cannot be written"):
        soon(ask())


def test_a_failure_that_cannot_be_written_is_one_sentence(path: Path) -> None:
    journal = Journal(path)
    journal._db.execute("DROP TABLE failures")

    def refuse(_: Request) -> Completion:
        raise EngineError("too long")

    with pytest.raises(InputError, match="journal cannot be written"):
        soon(Journaled(Scripted(refuse), journal).complete(ASK))


def test_the_budget_is_that_of_the_engine_and_counts_what_is_written(path: Path) -> None:
    async def ask() -> tuple[int, Budget]:
        inner = Scripted(echo)
        engine = Journaled(inner, Journal(path))
        engine.budget = Budget(max_tokens=20)
        for request in requests(3):
            await engine.complete(request)
        assert (await engine.complete(ASK)).text == "reply 0"  # it is there already
        with pytest.raises(BudgetReached, match="20 tokens is reached, with 21 used"):
            await engine.complete(replace(ASK, seed=9))
        return len(inner.calls), inner.budget

    asked, budget = soon(ask())
    assert asked == 3
    assert (budget.tokens, budget.usd) == (21, 1.5)


class Named(EngineOptions):
    kind = "named"

    answer: str

    def open(self) -> Scripted:
        return Closing(self.answer)


def test_an_engine_beside_is_in_the_same_journal_and_closed_with_the_first(path: Path) -> None:
    journal, seen = Journal(path), list[str]()

    async def ask() -> Engine:
        engine = Journaled(Closing("first"), journal, lambda reply, replayed: seen.append(reply.text))
        engine.budget = Budget(max_tokens=100)
        beside = opened_beside(engine, Named(answer="carp"))
        assert opened_beside(engine, Named(answer="carp")) is beside
        assert beside.budget is engine.budget
        for one in (engine, beside):
            await one.complete(ASK)
        await engine.close()
        return beside

    beside = soon(ask())
    assert isinstance(beside, Journaled) and isinstance(beside._inner, Closing)
    assert (seen, beside._inner.closed, beside.budget.tokens) == (["first", "carp"], 1, 8)
    assert journal.held(key_of("carp", ASK)) == Completion("carp", usage=Usage(3, 1))
    assert summary(path).retried == [Retried(name, "HTTP 429", 2, 1.5) for name in ("carp", "first")]


def test_a_model_under_one_name_is_asked_once_also_through_an_engine_beside(path: Path) -> None:
    async def ask() -> tuple[list[Completion], int, int]:
        one, other = Batched(), Batched()
        engine = Journaled(one, Journal(path))
        beside = engine.beside(other)
        waiting = asyncio.gather(engine.complete(ASK), beside.complete(ASK))
        await one.under_way.wait()
        one.answer()
        return await waiting, one.calls, other.calls

    assert soon(ask()) == ([Completion("reply 0")] * 2, 1, 0)


class Submitting(Scripted):
    ledger: Ledger | None = None

    def attach(self, ledger: Ledger) -> None:
        self.ledger = ledger


def test_an_engine_that_submits_batches_notes_them_in_the_journal(path: Path) -> None:
    journal, first, other = Journal(path), Submitting(echo), Submitting(echo)
    Journaled(first, journal).beside(other)
    assert first.ledger is other.ledger is journal.batches


def test_replay_gives_recorded_failures_again_and_asks_nothing(path: Path) -> None:
    def reply(request: Request) -> Completion:
        if request.seed == 1:
            raise EngineError("the prompt is too long")
        return echo(request)

    async def build() -> None:
        engine = Journaled(Scripted(reply), journal)
        await asyncio.gather(*map(engine.complete, requests(2)), return_exceptions=True)
        await engine.close()

    async def replay() -> list[Completion | BaseException]:
        engine = Journaled(Scripted(echo), journal, replay=True)
        beside = engine.beside(Scripted(echo, name="other"))
        asked = [engine.complete(r) for r in requests(3)]
        replies = await asyncio.gather(*asked, beside.complete(ASK), return_exceptions=True)
        await engine.close()
        return replies

    journal = Journal(path)
    soon(build())
    first, failed, unknown, other = soon(replay())
    assert first == echo(ASK)
    assert type(failed) is EngineError and str(failed) == "the prompt is too long"
    for missing, name in ((unknown, "scripted"), (other, "other")):
        assert isinstance(missing, EngineUnavailable)
        assert f"holds no reply of {name} to the request 'Name a fish.'; build without --replay" in str(missing)
    assert journal.counts().failures == 1
