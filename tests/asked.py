"""Requests put to the engine of some options, all at once; then it is closed."""

import asyncio
from collections.abc import Sequence

from tuneworks.factory.engine import Completion, EngineOptions, Request


def asked(options: EngineOptions, requests: Sequence[Request]) -> list[Completion | BaseException]:
    """The reply to each, or what was raised."""

    async def all_at_once() -> list[Completion | BaseException]:
        engine = options.open()
        try:
            return await asyncio.gather(*map(engine.complete, requests), return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(all_at_once())
