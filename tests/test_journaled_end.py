"""How an engine behind the journal ends: killed, closed in the middle, or torn down. What was answered is kept."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waiting_engines import ASK, Batched, Closing, Ending, requests, soon

from tuneworks.factory.engine import Completion
from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.journal import Call, Failure, Journal, Journaled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


KILLED = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_journaled import ASK, echo
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.journal import Journal, Journaled, key_of

async def ask() -> None:
    engine = Journaled(Scripted(echo), Journal(Path(sys.argv[1])))
    async def one(first: int) -> None:
        for seed in range(first, 10**9, 16):
            request = replace(ASK, seed=seed)
            await engine.complete(request)
            print(key_of("scripted", request), flush=True)
    await asyncio.gather(*map(one, range(16)))

asyncio.run(ask())
"""


def test_what_a_killed_process_was_given_is_in_the_journal(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        given = [process.stdout.readline().strip() for _ in range(200)]
        process.kill()
        given += [line.strip() for line in process.stdout if line.endswith("\n")]
    journal = Journal(path)
    assert len(given) >= 200
    assert [key for key in given if journal.held(key) is None] == []
    assert journal.counts().repeated == 0
    journal.close()


# Closing


def test_what_is_answered_at_the_end_is_kept(path: Path) -> None:
    journal = Journal(path)

    async def ask() -> list[Completion]:
        inner = Ending()
        engine = Journaled(inner, journal)
        waiting = asyncio.gather(*map(engine.complete, requests(3)))
        await inner.under_way.wait()
        await asyncio.sleep(0)
        await engine.close()
        return await waiting

    assert [reply.text for reply in soon(ask())] == ["reply 0", "reply 1", "reply 2"]
    assert journal.counts().calls == 3


def test_what_is_not_answered_at_the_end_is_refused(path: Path) -> None:
    async def ask() -> None:
        inner = Batched()
        engine = Journaled(inner, Journal(path))
        waiting = asyncio.create_task(engine.complete(ASK))
        await inner.under_way.wait()
        await engine.close()
        for late in (waiting, engine.complete(replace(ASK, seed=1))):
            with pytest.raises(EngineUnavailable, match="batched was stopped; build again to go on"):
                await late

    soon(ask())


class Broken(Batched):
    async def close(self) -> None:
        raise RuntimeError("the model fell over")


def test_an_engine_that_fails_to_close_hangs_nobody(path: Path) -> None:
    beside = Closing("carp")

    async def ask() -> None:
        inner = Broken()
        engine = Journaled(inner, Journal(path))
        engine.beside(beside)
        waiting = asyncio.create_task(engine.complete(ASK))
        await inner.under_way.wait()
        with pytest.raises(RuntimeError, match="fell over"):
            await engine.close()
        with pytest.raises(EngineUnavailable):
            await waiting

    soon(ask())
    assert beside.closed == 1


class Endless(Batched):
    """Its model takes for ever; what it was given before is answered."""

    async def close(self) -> None:
        self.answer()
        await asyncio.Event().wait()


def test_a_close_that_is_cut_off_keeps_what_was_answered(path: Path) -> None:
    journal = Journal(path)

    async def ask() -> None:
        inner = Endless()
        engine = Journaled(inner, journal)
        answered = asyncio.create_task(engine.complete(ASK))
        await inner.under_way.wait()
        closing = asyncio.create_task(engine.close())
        await answered
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

    soon(ask())
    assert journal.counts().calls == 1


class Slow(Journal):
    def write(self, kept: Sequence[Call | Failure]) -> None:
        time.sleep(0.2)
        super().write(kept)


def test_a_loop_that_is_torn_down_keeps_what_was_answered(path: Path) -> None:
    """As by a second Ctrl-C: every task is cancelled at once, while a commit is under way and another is to follow."""
    journal = Slow(path)

    async def ask() -> None:
        inner = Endless()
        engine = Journaled(inner, journal)
        tasks = list[asyncio.Task[Any]]()
        for request in requests(2):
            inner.under_way.clear()
            tasks.append(asyncio.create_task(engine.complete(request)))
            await inner.under_way.wait()
            inner.answer()
            for _ in range(3):
                await asyncio.sleep(0)
        tasks.append(asyncio.create_task(engine.close()))
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ask())
    journal.close()
    assert Journal(path).counts().calls == 2
