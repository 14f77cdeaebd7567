"""Limits of a run: what one more unit of what ran out would buy, and whether money can be counted at all."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import EngineOptions, Usage
from tuneworks.factory.errors import BudgetReached
from tuneworks.factory.plugin import Plugin
from tuneworks.pipelines.recipe import Recipe

UNITS = {"tokens": (1_000_000, "1,000,000 tokens more"), "usd": (1, "1 USD more"), "hours": (1, "1 hour more")}


@dataclass(slots=True)
class Progress:
    """How far a step has come, and what that took."""

    title: str
    replies: int = 0
    asked: int = 0
    """Replies that a model gave now; the others were in the journal."""
    tokens: int = 0
    usd: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def reply(self, usage: Usage, replayed: bool) -> None:
        self.replies += 1
        if not replayed:
            self.asked += 1
            self.tokens += usage.prompt_tokens + usage.completion_tokens
            self.usd += usage.usd


def stopped(unit: str, budget: Budget, at: Progress) -> BudgetReached:
    """That a run was stopped by its limit of this unit: where it stands, and what one more unit would buy."""
    spent = {"tokens": at.tokens, "usd": at.usd, "hours": (time.monotonic() - at.began) / 3600}[unit]
    amount, more = UNITS[unit]
    where = f"{budget.used(unit)}, after {at.replies:,} calls of {at.title}"
    if not at.asked or not spent:
        return BudgetReached(f"{where}; nothing more was asked", unit)
    buys = round(amount * at.asked / spent)
    return BudgetReached(f"{where}; {more} would buy about {buys:,} of them", unit)


def require_prices(recipe: Recipe) -> None:
    """Raise if money is limited and some engine cannot say what it costs."""
    if recipe.limits.usd is None:
        return
    for engine in engines_of(recipe):
        engine.require_price()


def engines_of(recipe: Recipe) -> Iterator[EngineOptions]:
    """The recipe's engine and those that its stages name."""
    yield recipe.engine
    for stage in recipe.every_stage:
        yield from _inside(stage)


def _inside(plugin: Plugin) -> Iterator[EngineOptions]:
    for part in plugin.parts():
        if isinstance(part, EngineOptions):
            yield part
        yield from _inside(part)
