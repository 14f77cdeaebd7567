"""Many model calls in flight, their results in order.

At most `limit` jobs are started and unfinished at any time, and a job starts as soon as an earlier one ends. What is in
flight is therefore a function of which jobs have ended, so a resumed run offers an engine the same choice of requests.
The limit is an engine's `room`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

CALM_PASSES = 24
"""Passes of the event loop without news that count as 'nothing else can go on': what has been answered has come through
all that waited for it."""


async def calm() -> None:
    for _ in range(CALM_PASSES):
        await asyncio.sleep(0)


async def in_order(jobs: Iterable[Callable[[], Awaitable[T]]], limit: int) -> AsyncIterator[T]:
    """Yield each job's result in the order of `jobs`; the first failure, wherever it is, ends all."""
    waiting = iter(jobs)
    started: deque[asyncio.Future[T]] = deque()
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start_next() -> None:
        job = next(waiting, None)
        if job is not None:
            task = asyncio.ensure_future(job())
            task.add_done_callback(ended)
            started.append(task)

    def ended(task: asyncio.Future[T]) -> None:
        if task.cancelled() or task.exception() is None:
            start_next()
        elif not failure.done():
            failure.set_result(None)

    try:
        for _ in range(limit):
            start_next()
        while started:
            if not started[0].done():  # else results would be taken more slowly than they come, and pile up
                waited: set[asyncio.Future[Any]] = {started[0], failure}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if failure.done():
                next(t for t in started if t.done() and not t.cancelled() and t.exception()).result()
            yield started.popleft().result()
    finally:
        waiting = iter(())
        for task in started:
            task.cancel()
