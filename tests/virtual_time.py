"""An event loop in which hours pass in a moment: what waits for a time is woken at once, by the loop's own clock."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST = 1_000_000
"""Waits after which a test has run away."""


class _Leaping(selectors.SelectSelector):
    """Instead of waiting, the clock leaps to when the wait would have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._waits = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._waits += 1
        assert timeout is not None and self._waits < LONGEST, "everything waits for something that never comes"
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
