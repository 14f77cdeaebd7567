"""The sliding window: what a call shows depends on what was read, never on what came first."""

import asyncio
import random
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.self_instruct.growth import BARREN_CALLS, WINDOW, Candidates, Reply, calls_for, grow
from tuneworks.factory.self_instruct.pool import Gate, Pool

Item = Record | Rejected


class World:
    """Calls that take as long as `delay` says and find tasks according to what the pool held when they were issued."""

    def __init__(self, delay: random.Random | None, found: list[int]) -> None:
        seed = Record.born("Name a fish.", meta={"instruction": "Name a fish."})
        self.pool = Pool([seed], "s", Gate(rules=()))
        self.issued: list[int] = []
        self.most = self.open = 0
        self._delay = delay
        self._found = found

    async def reply(self, call: int, saw: int) -> Candidates:
        self.open += 1
        self.most = max(self.most, self.open)
        if self._delay:
            await asyncio.sleep(self._delay.random() * 0.003)
        self.open -= 1
        return partial(self._judge, call, saw)

    def _judge(self, call: int, saw: int) -> Iterator[Item]:
        for n in range(self._found[call % len(self._found)]):
            text = f"x{call} y{n} z{saw}"
            yield self.pool.judged(Record.born(text, meta={"instruction": text}))

    def run(self, target: int, per_call: int = 4) -> list[Item]:
        def issue(call: int) -> Reply:
            self.issued.append(call)
            return self.reply(call, len(self.pool.made))

        async def collect() -> list[Item]:
            return [item async for item in grow(self.pool, issue, target, per_call)]

        return asyncio.run(collect())


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=9), st.integers(1, 150), st.integers(0, 99))
def test_delays_change_nothing(found: list[int], target: int, chance: int) -> None:
    still = World(None, found)
    slow = World(random.Random(chance), found)
    expected = still.run(target)
    assert slow.run(target) == expected
    assert slow.issued == still.issued == list(range(len(still.issued)))
    assert slow.most <= WINDOW
    kept = [item for item in expected if isinstance(item, Record)]
    assert len(kept) == (target if any(found) else 0)


def test_a_slow_reply_does_not_hold_up_the_window() -> None:
    class Straggling(World):
        """Call 3 is answered only after one that a round of WINDOW calls would hold back."""

        free = asyncio.Event()

        async def reply(self, call: int, saw: int) -> Candidates:
            if call == 3:
                await self.free.wait()
            elif call == 3 + WINDOW - 1:
                self.free.set()
            return await super().reply(call, saw)

    assert len(Straggling(None, [1]).run(5 * WINDOW, per_call=1)) == 5 * WINDOW


def test_later_calls_see_what_earlier_ones_found() -> None:
    made = World(None, [1]).run(4 * WINDOW, per_call=1)
    saw = [int(item.prompt_text.rsplit("z", 1)[1]) for item in made if isinstance(item, Record)]
    assert saw[:WINDOW] == [0] * WINDOW and saw == sorted(saw)
    assert all(number - seen <= WINDOW for number, seen in enumerate(saw))


def test_no_more_calls_than_the_missing_tasks_need() -> None:
    world = World(random.Random(1), [4])
    world.run(8)
    assert len(world.issued) <= 6
    rich = World(None, [4])
    rich.run(400)
    assert len(rich.issued) <= 100 + 2


def test_a_barren_search_ends_with_nothing_outstanding() -> None:
    world = World(random.Random(1), [0])
    assert world.run(500) == []
    assert len(world.issued) == BARREN_CALLS


def test_a_call_that_fails_stops_all_at_once() -> None:
    world = World(None, [1])

    def issue(call: int) -> Reply:
        async def never() -> Candidates:
            if call == 5:
                raise EngineUnavailable("no server")
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

        return never()

    async def collect() -> None:
        async for _ in grow(world.pool, issue, 50, 4):
            raise AssertionError("nothing was made")

    with pytest.raises(EngineUnavailable, match="no server"):
        asyncio.run(collect())


def test_one_who_stops_listening_cancels_what_is_outstanding() -> None:
    world = World(None, [1])
    cancelled: list[int] = []

    def issue(call: int) -> Reply:
        async def reply() -> Candidates:
            try:
                if call:
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(call)
                raise
            return await world.reply(call, 0)

        return reply()

    async def first() -> Item:
        items = grow(world.pool, issue, 50, 4)
        async for item in items:
            await items.aclose()
            await asyncio.sleep(0)
            return item
        raise AssertionError("nothing was made")

    assert isinstance(asyncio.run(first()), Record)
    assert len(cancelled) > 10


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 50))
def test_the_number_of_calls_is_within_bounds(missing: int, made: int, read: int, per_call: int) -> None:
    assert 1 <= calls_for(missing, made, read, per_call) <= WINDOW
    assert calls_for(missing, 10 * read, read, per_call) <= calls_for(missing, read, read, per_call)
