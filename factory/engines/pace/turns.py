"""Turns: which call goes next, to which server, and when."""

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from tuneworks.factory.engines.pace.call import Call
from tuneworks.factory.engines.pace.lane import Lane
from tuneworks.factory.engines.pace.quota import Quota
from tuneworks.factory.engines.pace.waiting import Waiting
from tuneworks.factory.errors import BudgetReached, TuneworksError


class Turns:
    """A call has its turn as soon as a server has a place for it, the quota has room and the budget admits it."""

    def __init__(self, lanes: Sequence[Lane], most: int, quota: Quota, admit: Callable[[], None]) -> None:
        self.in_flight = 0
        """Calls that have their turn: under way, or about to be."""
        self.ended: TuneworksError | None = None
        """Why nothing is sent any more."""
        self.waiting = Waiting(lambda: self._hand_out(now()))
        self._lanes = lanes
        self._most = most
        self._quota = quota
        self._admit = admit
        self._alarm: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None

    def at_once(self, call: Call) -> Lane | None:
        """A place for a new call, if one is free and nobody waits; else it waits."""
        if self.ended is not None:
            raise self.ended.with_traceback(None)
        lane = None if self.waiting else self._grant(call, now())
        if lane is None:
            self.let_wait(call)
            self._hand_out(now())
        return lane

    async def of(self, call: Call) -> Lane:
        """Its turn, when it comes."""
        try:
            lane = await call.turn
        except asyncio.CancelledError:
            self.waiting.forget(call)
            if call.turn.done() and not call.turn.cancelled() and call.turn.exception() is None:
                self._give_back(call.probe, call.turn.result())  # it came in the same moment
            raise
        if self.ended is not None:
            self._give_back(call.probe, lane)
            raise self.ended.with_traceback(None)
        return lane

    def let_wait(self, call: Call, rest: float = 0.0) -> None:
        """Wait for a turn, after a rest of so many seconds."""
        self.waiting.add(call, rest)
        if self.ended is not None:
            self.end(self.ended)

    def give_back_soon(self, call: Call, lane: Lane) -> None:
        """The turn is over in the next pass of the loop: by then who was answered has told the budget the cost."""
        asyncio.get_running_loop().call_soon(self._give_back, call.probe, lane)

    def _give_back(self, probe: bool, lane: Lane) -> None:
        lane.ended(probe)
        self.in_flight -= 1
        if self.in_flight == 0 and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        if self.waiting:
            self._hand_out(now())

    def end(self, error: TuneworksError) -> None:
        """Send nothing more, and tell all that wait."""
        if self.ended is None:
            self.ended = error
        self.waiting.refuse(lambda call: error)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def drained(self, seconds: float) -> bool:
        """Wait for the calls under way, at most so long. Whether none is left."""
        if self.in_flight == 0:
            return True
        self._idle = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait({self._idle}, timeout=seconds)
        return bool(done)

    def _hand_out(self, now: float) -> None:
        while (call := self.waiting.first()) is not None:
            lane = self._grant(call, now)
            if lane is None:
                return
            self.waiting.take()
            call.turn.set_result(lane)

    def _grant(self, call: Call, now: float) -> Lane | None:
        """A place for the call; if there is none, this is asked again as soon as there may be."""
        if self.in_flight >= self._most:
            return None
        lane = min((lane for lane in self._lanes if lane.has_room(now)), key=Lane.load, default=None)
        if lane is None:
            self._wake_at(self._next_try(now))
            return None
        wait = self._quota.wait(call.tokens, now)
        if wait > 0:
            self._wake_at(now + wait)
            return None
        try:
            self._admit()
        except BudgetReached as reached:
            self.end(reached)
            return None
        self.in_flight += 1
        call.begin(now, lane.send(now), self._quota.reserve(call.tokens, now))
        return lane

    def _next_try(self, now: float) -> float:
        """When the next server that is left alone may be asked again; infinity where none is."""
        untils = (lane.breaker.until for lane in self._lanes if lane.out is None)
        return min((until for until in untils if until > now), default=inf)

    def _wake_at(self, at: float) -> None:
        if at == inf or (self._alarm is not None and self._alarm.when() <= at):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at, self._wake, at)

    def _wake(self, at: float) -> None:
        self._alarm = None
        self._hand_out(max(at, now()))  # a timer may be a trifle early


def now() -> float:
    """Seconds, by the event loop's clock."""
    return asyncio.get_running_loop().time()
