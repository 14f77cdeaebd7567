"""Quota: at most so many requests and tokens in any minute, evenly spread.

What was sent in the last minute is kept as a list, so that no minute ever holds more than the limit. A second rule
spreads it: each amount is due a little later than the one before, with only a short burst ahead of that.
"""

from collections import deque
from dataclasses import dataclass

from tuneworks.factory.engine import Request, Usage

MINUTE = 60.5
"""Half a second more than the server's minute: requests do not all take the same time to get there."""
AHEAD = 1.0
"""Seconds by which sending may run ahead of an even spread."""


@dataclass(slots=True, eq=False)
class Spent:
    """An amount, and when it was spent."""

    amount: int
    at: float
    counts: bool = True
    """Whether the last minute still holds it."""


class Allowance:
    """One limit a minute. An amount above the limit counts as the whole of it: it goes when nothing else has."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent: deque[Spent] = deque()
        self._total = 0
        self._due = 0.0
        """When an even spread has room for the next amount."""

    def wait(self, amount: int, now: float) -> float:
        """Seconds until this amount may be spent, as far as is known now; 0: at once."""
        while self._spent and self._spent[0].at + MINUTE <= now:
            old = self._spent.popleft()
            old.counts = False
            self._total -= old.amount
        if self._spent and self._total + min(amount, self._limit) > self._limit:
            return max(self._spent[0].at + MINUTE - now, self._due - AHEAD - now)
        return max(0.0, self._due - AHEAD - now)

    def spend(self, amount: int, now: float) -> Spent:
        spent = Spent(min(amount, self._limit), now)
        self._spent.append(spent)
        self._total += spent.amount
        self._due = max(self._due, now) + spent.amount * MINUTE / self._limit
        return spent

    def correct(self, spent: Spent, amount: int) -> None:
        """It was this amount in truth."""
        change = min(amount, self._limit) - spent.amount
        if spent.counts:
            spent.amount += change
            self._total += change
            self._due += change * MINUTE / self._limit


class Quota:
    """The limits of a pace: requests and tokens a minute, None where there is none."""

    def __init__(self, requests: int | None, tokens: int | None) -> None:
        self._requests = Allowance(requests) if requests else None
        self._tokens = Allowance(tokens) if tokens else None

    def likely_tokens(self, request: Request) -> int:
        """The most a request is likely to take: its text at three characters a token, and all that it may write; 0
        where nobody counts."""
        if self._tokens is None:
            return 0
        read = sum(len(m.content) + 12 for m in request.messages) + len(request.opening) + len(request.given)
        written = 1 if request.candidates or request.given else request.max_tokens
        return read // 3 + written

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until a request of about so many tokens may go; 0: now."""
        for_request = self._requests.wait(1, now) if self._requests else 0.0
        for_tokens = self._tokens.wait(tokens, now) if self._tokens else 0.0
        return max(for_request, for_tokens)

    def reserve(self, tokens: int, now: float) -> Spent | None:
        """A request of about so many tokens goes now. What it takes of the tokens, to be put right later."""
        if self._requests is not None:
            self._requests.spend(1, now)
        return self._tokens.spend(tokens, now) if self._tokens is not None else None

    def used(self, reserved: Spent | None, usage: Usage) -> None:
        """It was answered, and took so much in truth, where the server says."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        if self._tokens is not None and reserved is not None and tokens:
            self._tokens.correct(reserved, tokens)

    def unused(self, reserved: Spent | None) -> None:
        """It was refused, and took nothing."""
        if self._tokens is not None and reserved is not None:
            self._tokens.correct(reserved, 0)
