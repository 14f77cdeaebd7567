"""Paced: an engine around servers of one model. It decides when each request goes where, and how often.

Requests wait in one queue. A server takes the next as soon as its window has a place, its breaker is closed and the
quota has room. An attempt runs in the task of who asked, so a call costs no task of its own, and one that is cancelled
takes its attempt along. Time is that of the event loop.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from random import Random

from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.pace.breaker import LONGEST_BREAK
from tuneworks.factory.engines.pace.call import Call
from tuneworks.factory.engines.pace.lane import Lane
from tuneworks.factory.engines.pace.patience import Patience
from tuneworks.factory.engines.pace.quota import Quota
from tuneworks.factory.engines.pace.server import Attempt, Server
from tuneworks.factory.engines.pace.tally import Tally
from tuneworks.factory.engines.pace.turns import Turns, now
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass

GRACE = 30.0
"""Seconds that requests under way are waited for at the end."""
CUT = 5.0
"""Seconds that an attempt may take to end once it is cancelled."""
FEW = 16
"""So few requests that are left and fail by themselves are set aside when patience ends: it may be their own fault."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast servers may be asked."""

    in_flight: int = 256
    """Most requests under way at a time, all servers together."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    patience: float = 300.0
    """Seconds that no server may answer before all that wait is given up."""


class Paced(Engine):
    def __init__(
        self, name: str, servers: Sequence[Server], pace: Pace, *, structured: bool, scores: bool = False
    ) -> None:
        self.name = name
        self.structured = structured
        self.scores = scores
        self.room = 2 * pace.in_flight  # while some replies are written down, others wait to be sent
        self._pace = pace
        self._dice = Random()  # timing is no part of the content
        self._lanes = [Lane(server, pace.in_flight, self._dice) for server in servers]
        self._share_out()
        self._quota = Quota(pace.requests_per_minute, pace.tokens_per_minute)
        self._turns = Turns(self._lanes, pace.in_flight, self._quota, lambda: self.budget.admit())
        self._tally = Tally()
        self._patience = Patience(pace.patience)
        self._patience_ends: asyncio.TimerHandle | None = None
        self._under_way: set[Call] = set()
        self._answers = 0

    @property
    def in_flight(self) -> int:
        """Requests under way now."""
        return self._turns.in_flight

    @property
    def window(self) -> int:
        """Requests that all servers together are given at a time, as of now."""
        return sum(lane.window.size for lane in self._lanes if lane.out is None)

    @property
    def status(self) -> str:
        at = now()
        served = [lane.breaker for lane in self._lanes if lane.out is None]
        if self._turns.ended is not None or not served or any(breaker.ready(at) for breaker in served):
            return ""
        nearest = min(served, key=lambda breaker: breaker.until)
        seconds = nearest.until - at
        return f"{nearest.said}; " + (f"next try in {seconds:.0f} s" if seconds > 0 else "trying again")

    def retries(self) -> dict[str, tuple[int, float]]:
        """By kind of failure: how often, and about how many seconds it cost."""
        return self._tally.kinds()

    async def complete(self, request: Request) -> Completion:
        call = Call(request, self._quota.likely_tokens(request), self._answers)
        lane = self._turns.at_once(call)
        while True:
            reply = await self._attempt(call, lane or await self._turns.of(call))
            if reply is not None:
                return reply
            lane = None

    async def close(self) -> None:
        self._turns.end(self._stopped())
        if self._patience_ends is not None:
            self._patience_ends.cancel()
        try:
            if not await self._turns.drained(GRACE):
                for call in list(self._under_way):
                    call.cut()
                await self._turns.drained(CUT)
        finally:
            await asyncio.gather(*(lane.server.close() for lane in self._lanes))

    def _stopped(self) -> EngineUnavailable:
        return EngineUnavailable(f"the engine {self.name} was stopped; build again to go on")

    async def _attempt(self, call: Call, lane: Lane) -> Completion | None:
        """The reply; None where the call waits for another turn."""
        call.task = asyncio.current_task()
        self._under_way.add(call)
        try:
            attempt = await lane.server.attempt(call.request)
            self._answered(call, lane, attempt)
            return attempt.reply
        except MayPass as failure:
            self._failed(call, lane, failure)
            return None
        except EngineUnavailable as reason:
            self._leave_out(call, lane, reason)
            return None
        except EngineError:
            self._well(lane, now())
            raise
        except asyncio.CancelledError:
            if call.was_cut():
                raise self._stopped() from None
            raise
        finally:
            self._under_way.discard(call)
            self._turns.give_back_soon(call, lane)

    def _answered(self, call: Call, lane: Lane, attempt: Attempt) -> None:
        at = now()
        self._answers += 1
        self._well(lane, at)
        lane.replied(attempt, call.sent, at, self._tally)
        self._quota.used(call.reserved, attempt.reply.usage)

    def _well(self, lane: Lane, at: float) -> None:
        """The server answered, be it only that this one request cannot be answered."""
        self._patience.answered()
        if lane.well(at):
            self._share_out()

    def _failed(self, call: Call, lane: Lane, failure: MayPass) -> None:
        lane.failed(failure, call.sent, call.probe, now(), self._tally)
        call.count(failure, self._answers, alone=len(self._under_way) == 1 and self._turns.waiting.empty())
        if failure.busy:
            self._quota.unused(call.reserved)
        if call.spent:
            times = f"this request failed {call.tries} times while others were answered"
            raise EngineError(f"{failure}; {times}") from failure
        self._share_out()
        self._turns.let_wait(call, call.rest(failure, self._dice))
        self._patience.failed(now())
        self._lose_patience(len(self._under_way) - 1)

    def _leave_out(self, call: Call, lane: Lane, reason: EngineUnavailable) -> None:
        """The others take over; without any, this is the end."""
        lane.out = reason
        self._share_out()
        self._turns.let_wait(call)
        if all(lane.out is not None for lane in self._lanes):
            self._turns.end(reason)

    def _share_out(self) -> None:
        """Give each server that answers an equal share of the requests in flight."""
        served = [lane for lane in self._lanes if lane.out is None and not lane.breaker.broken]
        for lane in self._lanes:
            lane.window.most = -(-self._pace.in_flight // max(1, len(served)))

    def _lose_patience(self, under_way: int) -> None:
        """Give up what waits, if nothing was answered for too long, or nothing can be asked before that; else look
        again then."""
        at = now()
        ends = self._patience.ends()
        earliest = min((max(lane.breaker.until, at) for lane in self._lanes if lane.out is None), default=at)
        if self._turns.ended is not None or ends == inf:
            return
        if at >= ends:
            self._give_up(f"nothing was answered for {at - self._patience.began():.0f} s")
        elif under_way == 0 and earliest > max(ends, at + LONGEST_BREAK):
            self._give_up(f"it can be asked again only in {earliest - at:.0f} s")
        elif self._patience_ends is None:
            self._patience_ends = asyncio.get_running_loop().call_at(ends, self._look_again)

    def _look_again(self) -> None:
        self._patience_ends = None
        self._lose_patience(len(self._under_way))

    def _give_up(self, why: str) -> None:
        """Stop. But a server that answers, and only fails, may be asked what it cannot do: if so little is left that
        nothing else can be tried, that is set aside, and the run goes on; not a second time in a row."""
        left = list(self._turns.waiting)
        suspect = self._answers > 0 and not self._patience.tried and len(left) <= FEW
        if suspect and left and all(call.own for call in left):
            self._turns.waiting.refuse(_set_aside)
            self._patience.again()
        elif left:
            said = next((str(call.last) for call in left if call.last is not None), why)
            self._turns.end(EngineUnavailable(f"{said}; {why}: see to it, then build again (all answers are kept)"))


def _set_aside(call: Call) -> EngineError:
    return EngineError(f"{call.last}; this request failed {call.tries} times, and nothing else was left to ask for")
