"""Questions put to the batch engine through a journal: in a test, or as a process that a test can kill."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.batch import OpenAIBatch
from tuneworks.factory.engines.batch_engine import BatchEngine
from tuneworks.factory.engines.batch_lines import Limits
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Message


class FastClock:
    """Hours pass in a moment, one sleeper at a time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0.004)


def question(number: int) -> Request:
    return Request((Message("user", f"question {number}"),), max_tokens=20, seed=number)


def opened(url: str, limits: Limits | None = None, model: str = "tiny", prices: str | None = None) -> BatchEngine:
    options = OpenAIBatch(model=model, base_url=url, prices=prices)
    return BatchEngine(options.live(), options.price(), FastClock(), limits)


class Desk:
    """The journal, the ledger and the engine of one run in a folder."""

    def __init__(self, folder: Path, engine: BatchEngine) -> None:
        self.journal = Journal(folder / "journal.sqlite")
        self.ledger = self.journal.batches
        self.engine = engine
        self.journaled = Journaled(engine, self.journal)

    def ask(self, requests: Sequence[Request]) -> list[Completion | BaseException]:
        """All at once, then close; what each came to."""

        async def all_of_them() -> list[Completion | BaseException]:
            try:
                return await asyncio.gather(*map(self.journaled.complete, requests), return_exceptions=True)
            finally:
                await self.journaled.close()

        try:
            return asyncio.run(all_of_them())
        finally:
            self.journal.close()


if __name__ == "__main__":
    url, folder, count = sys.argv[1:]
    Desk(Path(folder), opened(url)).ask([question(i) for i in range(int(count))])
