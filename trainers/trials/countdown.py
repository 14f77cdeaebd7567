"""How far trials have come, and what is left of them, in lines now and then."""

import time
from collections.abc import Callable

from tuneworks.factory.weights import Say

EVERY = 15.0
"""Seconds between two lines, at least."""

KNOWN_SHARE = 0.02
"""Share of the work that must be done before the time left is told."""


class Countdown:
    def __init__(self, work: int, say: Say) -> None:
        """`work` is counted in tokens read."""
        self._work, self._say, self._done = max(work, 1), say, 0
        self._began = self._spoke = time.monotonic()

    def on(self, name: str) -> Callable[[int], None]:
        """Counts tokens of what is called so."""

        def read(tokens: int) -> None:
            self._done += tokens
            if time.monotonic() - self._spoke >= EVERY:
                self.say(name)

        return read

    def say(self, what: str) -> None:
        self._spoke = time.monotonic()
        share = self._done / self._work
        left = (self._spoke - self._began) * (1 / share - 1) if share >= KNOWN_SHARE else None
        self._say(f"{what}; {share:.0%}" + ("" if left is None or share >= 1 else f", about {lasting(left)} left"))


def lasting(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
