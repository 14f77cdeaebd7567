"""The models of a run: its engine, behind the journal and under the budget, opened and closed in one place."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import Completion, Engine
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.pipelines.recipe import Limits, Recipe

STATUS_EVERY = 1.0
"""Seconds between two looks at what the engine waits for."""

STILL_CLOSING = "waiting for the answers under way; Ctrl-C again drops them"


@dataclass(frozen=True, slots=True)
class Asking:
    """How a build asks models, beside what its recipe says."""

    journal: Path | None = None
    """The journal's file, which recipes may share; the run's own where none is named."""
    replay: bool = False
    """Ask no model: every reply comes from the journal."""


PLAIN = Asking()


@asynccontextmanager
async def opened_models(
    recipe: Recipe, journal: Path, replay: bool, seen: Callable[[Completion, bool], None], say: Callable[[str], None]
) -> AsyncIterator[Engine]:
    """The recipe's engine, guarded; `seen` is told of every reply, `say` of what is waited for. Answers under way when
    the block ends are waited for and kept."""
    held = Journal(journal, recipe.name)
    try:
        engine = Journaled(recipe.engine.open(), held, seen, replay)
        engine.budget = _budget(recipe.limits, *held.spent(recipe.name))
        watching = asyncio.create_task(_watch(engine, say))
        try:
            yield engine
        finally:
            watching.cancel()
            await _closed(engine, say)
    finally:
        held.close()


def _budget(limits: Limits, tokens: int, usd: float) -> Budget:
    return Budget(limits.tokens, limits.usd, limits.hours, tokens, usd, time.monotonic())


async def _watch(engine: Engine, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(STATUS_EVERY)
        say(engine.status)


async def _closed(engine: Engine, say: Callable[[str], None]) -> None:
    closing = asyncio.ensure_future(engine.close())
    try:
        done, _ = await asyncio.wait({closing}, timeout=STATUS_EVERY)
        if not done:
            say(STILL_CLOSING)
    finally:  # also after a Ctrl-C meanwhile: what was answered is written down before the journal is closed
        await closing
