"""Many jobs in flight: their order, their limit, their end."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworks.factory.flight import in_order


class Watch:
    """Jobs that wait as told, and what was seen of them."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self.most = 0

    def job(self, number: int, seconds: float = 0.0, fail: bool = False) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            self.started.append(number)
            self.most = max(self.most, len(self.started) - len(self.ended) - len(self.cancelled))
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                self.cancelled.append(number)
                raise
            self.ended.append(number)
            if fail:
                raise ValueError(f"job {number} failed")
            return number

        return run


async def collect(jobs: Iterator[Callable[[], Awaitable[int]]], limit: int) -> list[int]:
    return [result async for result in in_order(jobs, limit)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 5))
def test_results_come_in_the_order_of_the_jobs_and_the_limit_holds(pauses: list[int], limit: int) -> None:
    watch = Watch()
    jobs = (watch.job(n, pause / 2000) for n, pause in enumerate(pauses))
    assert asyncio.run(collect(jobs, limit)) == list(range(len(pauses)))
    assert watch.started == list(range(len(pauses)))
    assert watch.most == min(limit, len(pauses))


def test_a_job_starts_when_any_earlier_one_ends() -> None:
    watch = Watch()
    pauses = [0.2, 0.0, 0.0, 0.0, 0.0]
    asyncio.run(collect((watch.job(n, pause) for n, pause in enumerate(pauses)), 2))
    assert watch.ended == [1, 2, 3, 4, 0]


def test_jobs_are_not_made_before_they_can_start() -> None:
    made: list[int] = []
    watch = Watch()

    def jobs() -> Iterator[Callable[[], Awaitable[int]]]:
        for number in range(100):
            made.append(number)
            yield watch.job(number, 10)

    async def first_moments() -> None:
        results = asyncio.create_task(collect(jobs(), 3))
        await asyncio.sleep(0.01)
        results.cancel()
        await asyncio.gather(results, return_exceptions=True)

    asyncio.run(first_moments())
    assert made == [0, 1, 2]


@pytest.mark.parametrize("failing", [0, 3, 7])
def test_a_failure_anywhere_ends_all_at_once(failing: int) -> None:
    watch = Watch()
    taken: list[int] = []

    async def run() -> None:
        jobs = (watch.job(n, 0.01 if n == failing else 30, fail=n == failing) for n in range(20))
        async for result in in_order(jobs, 8):
            taken.append(result)

    async def run_and_look_round() -> None:
        with pytest.raises(ValueError, match=f"job {failing} failed"):
            await run()
        await asyncio.sleep(0)

    began = time.monotonic()
    asyncio.run(run_and_look_round())
    assert time.monotonic() - began < 5
    assert taken == []
    assert watch.started == list(range(8))
    assert watch.cancelled == [n for n in range(8) if n != failing]


def test_results_before_a_late_failure_are_given() -> None:
    watch = Watch()
    taken: list[int] = []

    async def run() -> None:
        async for result in in_order((watch.job(n, 0.0 if n < 3 else 0.05, fail=n == 3) for n in range(4)), 8):
            taken.append(result)

    with pytest.raises(ValueError, match="job 3"):
        asyncio.run(run())
    assert taken == [0, 1, 2]


def test_closing_early_cancels_what_is_in_flight_and_starts_nothing_more() -> None:
    watch = Watch()

    async def run() -> None:
        jobs = (watch.job(n, 0.0 if n == 0 else 30) for n in range(20))
        async with aclosing(cast(AsyncGenerator[int, None], in_order(jobs, 4))) as results:
            async for result in results:
                assert result == 0
                break
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
    assert watch.cancelled == [1, 2, 3, 4]
    assert watch.started == [0, 1, 2, 3, 4]


def test_two_failures_leave_no_complaint_behind(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()

    async def run() -> None:
        async for _ in in_order((watch.job(n, 0.01, fail=True) for n in range(4)), 8):
            pass

    with pytest.raises(ValueError, match="job 0"):
        asyncio.run(run())
    assert caplog.text == ""


def test_no_jobs() -> None:
    assert asyncio.run(collect(iter(()), 3)) == []


def test_results_are_taken_as_fast_as_they_come() -> None:
    async def most_behind() -> int:
        watch, taken, behind = Watch(), 0, 0
        async for _ in in_order([watch.job(number) for number in range(2000)], 8):
            taken += 1
            behind = max(behind, len(watch.ended) - taken)
        return behind

    assert asyncio.run(most_behind()) <= 16
