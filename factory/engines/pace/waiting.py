"""Waiting: the calls that wait for their turn, in order, and those that rest before they do."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from tuneworks.factory.engines.pace.call import Call
from tuneworks.factory.errors import TuneworksError


class Waiting:
    """A call that was sent before goes first, unless servers fell silent over it: it may be why."""

    def __init__(self, rested: Callable[[], None]) -> None:
        """`rested` is called when one is back from its rest."""
        self._rested = rested
        self._queue: deque[Call] = deque()
        self._resting: dict[Call, asyncio.TimerHandle] = {}

    def __bool__(self) -> bool:
        """Whether one wants its turn; it may have been given up meanwhile."""
        return bool(self._queue)

    def first(self) -> Call | None:
        """The next whose turn it is."""
        while self._queue and self._queue[0].turn.done():
            self._queue.popleft()
        return self._queue[0] if self._queue else None

    def take(self) -> None:
        """The first has its turn."""
        self._queue.popleft()

    def add(self, call: Call, rest: float = 0.0) -> None:
        """Wait after a rest of so many seconds, or at once."""
        loop = asyncio.get_running_loop()
        call.turn = loop.create_future()
        if rest > 0:
            self._resting[call] = loop.call_later(rest, self._back, call)
        elif call.last is None:
            self._queue.append(call)
        else:
            self._queue.appendleft(call)

    def _back(self, call: Call) -> None:
        del self._resting[call]
        if call.last is not None and call.last.down:
            self._queue.append(call)
        else:
            self._queue.appendleft(call)
        self._rested()

    def forget(self, call: Call) -> None:
        """Who asked went away. One in the queue is passed over when its turn comes."""
        timer = self._resting.pop(call, None)
        if timer is not None:
            timer.cancel()

    def __iter__(self) -> Iterator[Call]:
        yield from (call for call in self._queue if not call.turn.done())
        yield from self._resting

    def empty(self) -> bool:
        """Whether no call waits or rests."""
        return next(iter(self), None) is None

    def refuse(self, error: Callable[[Call], TuneworksError]) -> None:
        """All get an error; then none waits."""
        for call in list(self):
            call.turn.set_exception(error(call))
        for timer in self._resting.values():
            timer.cancel()
        self._queue.clear()
        self._resting.clear()
