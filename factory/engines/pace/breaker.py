"""Breaker: when one server gets nothing for a while, and how it is tried again.

A server that only fails is broken: it gets one request at a time, after longer and longer breaks, until one is
answered. One that refuses (429, 503) waits as long as it says; if it says nothing and refuses again and again without
answering in between, it waits longer each time too.
"""

from random import Random

STRIKES = 16
"""Failures in a row, without an answer, that break it. At three failures in ten this happens by chance about never."""
SILENT = 4
"""No connection, or no reply in time, counts for so many."""
FIRST_BREAK, LONGEST_BREAK = 1.0, 30.0
FIRST_REFUSAL = 0.25


class Breaker:
    def __init__(self, dice: Random) -> None:
        self.until = 0.0
        """Nothing is sent before then."""
        self.broken = False
        self.probing = False
        """Broken, and the one request is under way."""
        self.said = ""
        """Why it is broken or waits, in the server's own words."""
        self._dice = dice
        self._strikes = 0
        self._breaks = 0
        self._refusals = 0

    def ready(self, now: float) -> bool:
        return now >= self.until and not self.probing

    def answered(self) -> bool:
        """A request was answered. Whether the server was broken until now."""
        was_broken, self.broken = self.broken, False
        self._strikes = self._breaks = 0
        self._refusals = max(0, self._refusals - 1)
        if was_broken:
            self.until = 0.0
        return was_broken

    def failed(self, silent: bool, probe: bool, wait: float | None, now: float) -> float:
        """A request failed. Seconds added to the wait."""
        if self.broken and not probe:
            return 0.0  # sent before it broke
        self._strikes += SILENT if silent else 1
        if self._strikes < STRIKES and not self.broken:
            return 0.0
        self.broken = True
        pause = min(FIRST_BREAK * 2**self._breaks, LONGEST_BREAK)
        self._breaks += 1
        return self.pause(self._dithered(pause) if wait is None else wait, now)

    def refused(self, again: bool, probe: bool, wait: float | None, now: float) -> float:
        """A request was refused; `again`: one that was sent after the window was halved. Seconds added to the wait."""
        if self.broken and not probe:
            return 0.0
        if wait is not None:
            return self.pause(wait, now)
        if not again and not probe:
            return 0.0
        self._refusals += 1
        if self._refusals == 1:
            return 0.0
        return self.pause(self._dithered(min(FIRST_REFUSAL * 2.0 ** (self._refusals - 2), LONGEST_BREAK)), now)

    def pause(self, seconds: float, now: float) -> float:
        """Send nothing for so long. Seconds that this adds to a wait that is there already."""
        until = max(self.until, now + seconds)
        added = until - max(self.until, now)
        self.until = until
        return added

    def _dithered(self, seconds: float) -> float:
        return seconds * self._dice.uniform(0.5, 1.0)
