"""Lane: one server with its window and its breaker, and what each outcome of an attempt means for them."""

from random import Random

from tuneworks.factory.engine import Usage
from tuneworks.factory.engines.pace.breaker import Breaker
from tuneworks.factory.engines.pace.server import Attempt, Server
from tuneworks.factory.engines.pace.tally import Tally, kind_of
from tuneworks.factory.engines.pace.window import Window
from tuneworks.factory.errors import EngineUnavailable, MayPass

READING = 1 / 16
"""The work of reading a token, measured by that of writing one."""
LATE = 2.0
"""A failure that took so many times as long as replies do is a reply that did not come in time."""


class Lane:
    def __init__(self, server: Server, most: int, dice: Random) -> None:
        self.server = server
        self.window = Window(most)
        self.breaker = Breaker(dice)
        self.in_flight = 0
        self.out: EngineUnavailable | None = None
        """Why the server can answer no request at all."""
        self._usual = 0.0
        """Seconds that replies take of late."""

    def has_room(self, now: float) -> bool:
        if self.out is not None or not self.breaker.ready(now):
            return False
        return self.breaker.broken or self.in_flight < self.window.size

    def load(self) -> float:
        return self.in_flight / self.window.size

    def send(self, now: float) -> bool:
        """Take a place. Whether the request is a probe of a broken server."""
        if self.in_flight == 0:
            self.window.begin(now)
        self.in_flight += 1
        self.breaker.probing = self.breaker.broken
        return self.breaker.broken

    def ended(self, probe: bool) -> None:
        """Give the place back, once the outcome was told."""
        self.in_flight -= 1
        if probe:
            self.breaker.probing = False

    def replied(self, attempt: Attempt, sent: float, now: float, tally: Tally) -> None:
        """A reply came; what its headers ask for is waited."""
        took = now - sent
        self._usual = took if self._usual == 0.0 else 0.9 * self._usual + 0.1 * took
        self.window.replied(work(attempt.reply.usage), self.in_flight >= self.window.size, now)
        if attempt.pause > 0:
            self.breaker.said = f"the server at {self.server.place} says that its limit is reached for now"
            tally.add("a pause asked for", self.breaker.pause(attempt.pause, now))

    def well(self, now: float) -> bool:
        """The server answered something, be it that it cannot answer this one request. Whether it was broken."""
        if not self.breaker.answered():
            return False
        self.window.restart(now)
        return True

    def failed(self, failure: MayPass, sent: float, probe: bool, now: float, tally: Tally) -> None:
        lost = (now - sent) / self.in_flight
        self.breaker.said = str(failure)
        if failure.busy:
            again = self.window.refused(sent, self.in_flight, now)
            lost += self.breaker.refused(again, probe, failure.wait, now)
        else:
            if failure.down and not self.breaker.broken and 0 < LATE * self._usual < now - sent:
                self.window.refused(sent, self.in_flight, now)
            lost += self.breaker.failed(failure.down, probe, failure.wait, now)
        tally.add(kind_of(failure), lost)


def work(usage: Usage) -> float:
    """What a reply is worth when throughput is measured; 1 where the server does not count tokens."""
    return usage.completion_tokens + READING * usage.prompt_tokens or 1.0
