"""Commits: replies gather while one is under way, and those of a batch stay together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from tuneworks.factory.engine import Completion
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Call, Journal
from tuneworks.factory.journal.commits import Commits


class ByHand(Executor):
    """Work that is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def finish(self) -> None:
        future, work = self.waiting.pop(0)
        future.set_result(work())


class Desk:
    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal.sqlite")
        self.hand = ByHand()
        self.journal.thread.shutdown()
        self.journal.thread = self.hand
        self.commits = Commits(self.journal, at_once=False)

    def keep(self, key: str) -> "asyncio.Future[None]":
        return self.commits.kept(Call(key, "e", '{"messages": []}', Completion("carp"), 0.1, 1.7e9))

    def held(self) -> int:
        return self.journal.counts().calls


async def passes(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_comes_during_a_commit_shares_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        first = desk.keep("first")
        await passes(2)
        later = [desk.keep(f"later {n}") for n in range(3)]
        await passes(5)
        assert len(desk.hand.waiting) == 1
        assert not any(one.done() for one in (first, *later))
        desk.hand.finish()
        await first
        await passes(2)
        assert desk.held() == 1 and not any(one.done() for one in later)
        desk.hand.finish()
        await asyncio.gather(*later)
        assert desk.held() == 4

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_commit_that_ends_amid_a_batch_does_not_tear_it_apart(tmp_path: Path) -> None:
    async def run() -> None:
        desk, loop = Desk(tmp_path), asyncio.get_running_loop()
        first = desk.keep("first")
        await passes(2)
        batch = list[asyncio.Future[None]]()
        # In the pass after the next: one of the batch, then the end of the commit, then the other of the batch.
        loop.call_soon(loop.call_soon, lambda: batch.append(desk.keep("one")))
        desk.hand.finish()
        loop.call_soon(loop.call_soon, lambda: batch.append(desk.keep("other")))
        await first
        await passes(3)
        assert (len(batch), len(desk.hand.waiting), desk.held()) == (2, 1, 1)
        desk.hand.finish()
        await asyncio.gather(*batch)
        assert desk.held() == 3

    asyncio.run(asyncio.wait_for(run(), 30))


def test_the_rest_is_written_at_once_and_only_once(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        kept = [desk.keep("one"), desk.keep("other")]
        desk.commits.write_rest()
        assert all(one.done() for one in kept)
        await passes(3)
        assert desk.hand.waiting == []
        more = desk.keep("more")
        await passes(3)
        desk.hand.finish()
        await more
        assert (desk.held(), desk.journal.counts().repeated) == (3, 0)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_after_the_journal_is_closed_nobody_waits_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal(tmp_path / "journal.sqlite")
        commits = Commits(journal, at_once=False)
        journal.close()
        kept = commits.kept(Call("k", "e", "{}", Completion("carp"), 0.1, 1.7e9))
        with pytest.raises(InputError, match="cannot be written"):
            await asyncio.wait_for(kept, 30)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_commit_at_once_is_done_in_the_next_pass_and_batches_stay_together(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal(tmp_path / "journal.sqlite")
        commits = Commits(journal, at_once=True)
        durable = [
            commits.kept(Call(f"k{n}", "e", '{"messages": []}', Completion("carp"), 0.1, 1.7e9)) for n in range(3)
        ]
        assert journal.counts().calls == 0
        await asyncio.sleep(0)
        assert all(one.done() for one in durable)
        assert journal.counts().calls == 3
        journal.close()

    asyncio.run(run())
