"""One thread for the heavy work of rewards, so that the event loop stays free and one batch is computed at a time.

A thread of their own is also the lock: rewards that wait for it hold none of the threads that engines answer in.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="reward")


async def in_turn(work: Callable[[], T]) -> T:
    """What `work` returns or raises, once all that was asked for before it is done."""
    return await asyncio.get_running_loop().run_in_executor(_thread(), work)
