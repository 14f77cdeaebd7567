"""Growing a pool with many calls in flight: a sliding window in the place of rounds.

Call k is issued once the reply to call k - W, or a later one, has been read, with examples from the pool as it stands
then; replies are read in the order of their calls. Which examples a call shows thus depends on what earlier replies
said, never on which came first, and a slow reply holds up none of the W calls after it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any

from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.self_instruct.pool import Pool

WINDOW = 32
"""W: most calls issued and not read."""

BARREN_CALLS = 96
"""Calls in a row that add nothing before the search ends."""

Candidates = Callable[[], Iterator[Record | Rejected]]
"""Judges a reply's candidates one by one, so that none is let into the pool that nobody takes."""

Reply = Coroutine[Any, Any, Candidates]


async def grow(
    pool: Pool, issue: Callable[[int], Reply], target: int, per_call: int
) -> AsyncGenerator[Record | Rejected, None]:
    """Yield every candidate, kept and rejected, until `target` are kept or the model has nothing new to say.

    `issue(k)` draws the examples of call k at once and gives back what asks; `per_call` is how many tasks a call wants.
    """
    issued: deque[asyncio.Task[Candidates]] = deque()
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended(task: asyncio.Task[Candidates]) -> None:
        if not task.cancelled() and task.exception() is not None and not failed.done():
            failed.set_result(None)

    calls = barren = 0
    try:
        while len(pool.made) < target and barren < BARREN_CALLS:
            wanted = calls_for(target - len(pool.made), len(pool.made), calls - len(issued), per_call)
            while len(issued) < min(wanted, BARREN_CALLS - barren):
                issued.append(asyncio.create_task(issue(calls)))
                issued[-1].add_done_callback(ended)
                calls += 1
            await asyncio.sleep(0)  # every call is asked, also one that is no longer needed when its turn comes
            candidates = await _first(issued, failed)
            before = len(pool.made)
            for item in candidates():
                yield item
                if len(pool.made) >= target:
                    return
            barren = barren + 1 if len(pool.made) == before else 0
    finally:
        for task in issued:
            task.cancel()


async def _first(issued: "deque[asyncio.Task[Candidates]]", failed: "asyncio.Future[None]") -> Candidates:
    """The first call's reply; raises as soon as any call has failed."""
    if not issued[0].done():
        waited: set[asyncio.Future[Any]] = {issued[0], failed}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        next(t for t in issued if t.done() and not t.cancelled() and t.exception()).result()
    return issued.popleft().result()


def calls_for(missing: int, made: int, read: int, per_call: int) -> int:
    """Calls that should make `missing` tasks, at most a window of them.

    At the rate so far: `made` tasks out of `read` replies. A third of what is asked for is the guess before any is
    known, and weighs as much as one and a half calls.
    """
    rate = (made + per_call / 2) / (read + 1.5)
    return max(1, min(WINDOW, round(missing / rate + 0.5)))
