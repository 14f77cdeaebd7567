"""Window: how many requests one server is given at a time.

It doubles while that brings more throughput, then holds, and now and then tries a little more. Throughput is measured
over an epoch: as many replies as the window has places, which is about one round trip, counted only while the window
was full (else the callers were the limit, not the server). A server that queues by itself loses nothing by a window
that is too large, so a doubling that brought nothing is kept; only one that did harm is taken back. A refusal (429,
503) halves the window, at most once a round trip; it then closes half of the gap in ever smaller steps. A little more
that was refused when it was tried is only taken back.
"""

from math import inf
from typing import Literal

FIRST = 64
"""Places to begin with: two round trips from here is a few hundred. More would be too many for a slow server that
queues: the last of them must be answered before the timeout."""
AFTER_A_BREAK = 8
"""Places for a server that just came back."""

GAIN = 1.15
"""What a doubling must bring; it brings 2 where the server has room, and measures are a fifth off."""
PROBE_GAIN = 1.1
HARM = 0.7
"""Throughput, as a share of that before, at which a doubling is taken back."""
FULL = 0.75
"""Share of an epoch's replies that must have found the window full."""
LONG = 4
"""An epoch that decides on small differences is so many times longer."""
REST, LONGEST_REST = 2, 32
"""Long epochs between two probes; twice as many after each probe in vain."""
NEAR = 15 / 16
"""Of the size at which the server refused: held there."""

State = Literal["doubling", "holding", "probing", "returning"]


class Window:
    def __init__(self, most: int) -> None:
        self.most = most
        """Never more than this; the owner may change it at any time."""
        self._state: State = "doubling"
        self._size = FIRST
        self._before = FIRST
        self._best = 0.0
        """Replies' work per second that the present size is measured against."""
        self._refused_at = inf
        self._cut = -inf
        """When it was last halved."""
        self._whole = True
        """Whether an epoch has passed since then."""
        self._rest, self._rested = REST, 0
        self.begin(0.0)

    @property
    def size(self) -> int:
        return min(self._size, self.most)

    def begin(self, now: float) -> None:
        """Start an epoch: what was measured so far says nothing about what comes."""
        self._began, self._work, self._replies, self._full = now, 0.0, 0, 0

    def replied(self, work: float, full: bool, now: float) -> None:
        """A reply came, worth so much work; `full`: all places were taken until then."""
        self._work += work
        self._replies += 1
        self._full += full
        long = LONG if self._state in ("holding", "probing") else 1
        if self._replies >= self.size * long:
            if self._full >= FULL * self._replies and now > self._began:
                self._judge(self._work / (now - self._began))
            self.begin(now)

    def refused(self, sent: float, in_flight: int, now: float) -> bool:
        """The server refused a request that was sent at `sent`, one of so many. Whether the window got smaller: one
        that was sent before the last time says nothing about the present size."""
        if sent <= self._cut:
            return False
        held = min(self.size, max(in_flight, 1))
        self._refused_at = held if self._whole else max(held, self._refused_at)
        self._cut, self._whole = now, False
        if self._state == "probing":  # what was tried is too much; what was there before is known to be well
            self._end_probe()
        else:
            self._size = max(1, held // 2)
            self._state, self._best = "returning", 0.0
        self.begin(now)
        return True

    def restart(self, now: float) -> None:
        """The server is back after a break: begin small."""
        self._size, self._state, self._best = AFTER_A_BREAK, "doubling", 0.0
        self.begin(now)

    def _judge(self, rate: float) -> None:
        self._whole = True
        if self._state == "doubling":
            self._double(rate)
        elif self._state == "returning":
            self._return()
        elif self._state == "probing":
            self._compare(rate)
        else:
            self._hold(rate)

    def _double(self, rate: float) -> None:
        if rate >= GAIN * self._best:
            self._best = rate
            if self.size < self.most:
                self._before, self._size = self.size, min(2 * self.size, self.most)
                return
        elif rate < HARM * self._best:
            self._size = self._before
        self._settle()

    def _return(self) -> None:
        goal = min(NEAR * self._refused_at, self.most)
        if self._size >= goal - 1:
            self._settle()
        else:
            self._size += max(1, min(self._size, int(goal - self._size) // 4))

    def _hold(self, rate: float) -> None:
        self._best = (self._best + rate) / 2 if self._rested else rate
        self._rested += 1
        if self._rested > self._rest and self.size < self.most:
            gentle = self._size * 9 // 8 >= self._refused_at
            self._state, self._before = "probing", self.size
            self._size = min(self.most, self.size + max(1, self.size // (8 if gentle else 2)))

    def _compare(self, rate: float) -> None:
        if rate >= PROBE_GAIN * self._best:
            self._state, self._best, self._rest = "doubling", rate, REST
            self._before, self._size = self.size, min(2 * self.size, self.most)
            return
        self._end_probe()

    def _end_probe(self) -> None:
        """Back to the size before, and wait longer until the next."""
        self._size = self._before
        self._rest = min(2 * self._rest, LONGEST_REST)
        self._settle()

    def _settle(self) -> None:
        self._state, self._rested = "holding", 0
