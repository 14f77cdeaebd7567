"""Call: one request on its way, from when it is asked to when it is answered or given up."""

import asyncio
from random import Random

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.pace.lane import Lane
from tuneworks.factory.engines.pace.quota import Spent
from tuneworks.factory.errors import MayPass

OWN, SILENT, REFUSED = 12, 4, 64
"""Most failures of a request, while others are answered: errors of its own, no reply at all, refusals. Where three
attempts in ten fail by chance, 12 in a row happen to one request in two million."""
FIRST_REST, LONGEST_REST = 0.25, 8.0
PATIENT_REFUSALS = 3
"""A request refused more often while others are answered no longer goes first."""


class Call:
    __slots__ = ("_cut", "failures", "first", "last", "probe", "refusals", "request", "reserved", "seen", "sent",
                 "silences", "task", "tokens", "tries", "turn")  # fmt: skip
    turn: asyncio.Future[Lane]
    """Where it may go, once it may."""

    def __init__(self, request: Request, tokens: int, answers: int) -> None:
        self.request = request
        self.tokens = tokens
        """Likely to be taken; 0 where no quota counts them."""
        self.task: asyncio.Task[object] | None = None
        """Of who asked, during an attempt."""
        self.sent = 0.0
        """When the attempt under way began."""
        self.tries = 0
        self.probe = False
        """The attempt under way tries a broken server."""
        self.reserved: Spent | None = None
        self.first = self.seen = answers
        """How many answers all servers had given when it was asked, and when it last failed."""
        self.last: MayPass | None = None
        self.failures = self.silences = self.refusals = 0
        self._cut = False

    def begin(self, now: float, probe: bool, reserved: Spent | None) -> None:
        """An attempt begins."""
        self.sent, self.probe, self.reserved = now, probe, reserved
        self.tries += 1

    def cut(self) -> None:
        """End the attempt under way."""
        self._cut = True
        if self.task is not None:
            self.task.cancel()

    def was_cut(self) -> bool:
        """Whether the attempt was cancelled by `cut`, and by nobody else."""
        return self._cut and self.task is not None and self.task.uncancel() == 0

    def count(self, failure: MayPass, answers: int, alone: bool) -> None:
        """A failure speaks against the request only if others were answered meanwhile, or were before and it is the
        only one left; and never when it tried a server that was known to be broken."""
        self.last = failure
        left = alone and self.own and answers > self.first
        fair = not self.probe and (left or answers > self.seen)
        self.seen = answers
        if not fair:
            return
        if failure.busy:
            self.refusals += 1
        elif failure.down:
            self.silences += 1
        else:
            self.failures += 1

    @property
    def own(self) -> bool:
        """Whether the server was there and had time when it last failed: then it may be the request's own fault."""
        return self.last is not None and not self.last.busy and not self.last.down

    @property
    def spent(self) -> bool:
        """Whether it has failed as often as a request may."""
        return self.failures >= OWN or self.silences >= SILENT or self.refusals >= REFUSED

    def rest(self, failure: MayPass, dice: Random) -> float:
        """Seconds until it goes back to those that wait; 0: at once, before all others."""
        if failure.busy and self.refusals <= PATIENT_REFUSALS:
            return 0.0
        if failure.down and self.silences <= 1 and not self.probe:
            return 0.0
        times = max(1, self.failures + self.silences + max(0, self.refusals - PATIENT_REFUSALS))
        rest = dice.uniform(0.0, min(LONGEST_REST, FIRST_REST * 2.0 ** (times - 1)))
        return max(rest, 0.0 if failure.busy or failure.wait is None else failure.wait)
