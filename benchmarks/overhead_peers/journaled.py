"""Tuneworks as a build uses it: every reply is durable in a journal, in the current folder, before it is handed on."""

import asyncio
from functools import partial
from pathlib import Path

import load

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.flight import in_order
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Message


def request(n: int) -> Request:
    message = Message("user", load.prompt(n))
    return Request((message,), max_tokens=load.MAX_TOKENS, temperature=1.0, top_p=0.95, seed=n)


async def ask(url: str, calls: int, folder: Path) -> int:
    journal, replies = Journal(folder / "journal.sqlite"), 0
    engine = Journaled(OpenAI(model=load.MODEL, base_url=url).open(), journal)
    jobs = (partial(engine.complete, request(n)) for n in range(calls))
    async for reply in in_order(jobs, engine.room):
        replies += bool(reply.text)
    await engine.close()
    counts = journal.counts()
    assert (counts.calls, counts.repeated) == (calls, 0), counts
    journal.close()
    return replies


if __name__ == "__main__":
    args = load.arguments()
    load.told(lambda: asyncio.run(ask(args.url, args.calls, Path.cwd())))
