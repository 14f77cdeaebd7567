"""Budget: what a run may still spend, asked right before every call and told of every reply.

Once a limit is reached no new call is made. The calls under way then are answered and kept, so a run ends over a limit
by no more than those.
"""

import time
from dataclasses import dataclass

from tuneworks.factory.errors import BudgetReached


@dataclass(slots=True)
class Budget:
    """Limits, each None where there is none. `tokens` and `usd` count what the run has spent in all its builds."""

    max_tokens: int | None = None
    max_usd: float | None = None
    max_hours: float | None = None
    """Of this build, from when the budget was made."""
    tokens: int = 0
    usd: float = 0.0
    began: float = 0.0
    """By time.monotonic; only a limit in hours looks at it."""

    def admit(self) -> None:
        """Raise BudgetReached unless one more call may be made."""
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            raise BudgetReached(self.used("tokens"), "tokens")
        if self.max_usd is not None and self.usd >= self.max_usd:
            raise BudgetReached(self.used("usd"), "usd")
        if self.max_hours is not None and time.monotonic() - self.began >= self.max_hours * 3600:
            raise BudgetReached(self.used("hours"), "hours")

    def used(self, unit: str) -> str:
        """That the limit of this unit is reached, with what was used up to now."""
        if unit == "tokens":
            return f"the limit of {self.max_tokens:,} tokens is reached, with {self.tokens:,} used"
        if unit == "usd":
            return f"the limit of {self.max_usd:g} USD is reached, with {self.usd:.4f} spent"
        return f"the limit of {self.max_hours:g} hours is reached"

    def spend(self, tokens: int, usd: float) -> None:
        self.tokens += tokens
        self.usd += usd


UNLIMITED = Budget()
"""Nothing is counted against it that anyone reads."""
