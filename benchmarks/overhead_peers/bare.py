"""A bare asyncio loop over the official client; the setting is how many requests it keeps in flight.

The client keeps only 100 connections open by itself; here it may keep one for each request in flight.
"""

import asyncio

import httpx2
import load
from openai import AsyncOpenAI, DefaultAsyncHttpxClient


async def ask(url: str, calls: int, in_flight: int) -> int:
    limits = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    slots, replies = asyncio.Semaphore(in_flight), 0
    async with AsyncOpenAI(base_url=url, api_key="none", http_client=DefaultAsyncHttpxClient(limits=limits)) as client:

        async def one(n: int) -> None:
            nonlocal replies
            try:
                reply = await client.chat.completions.create(
                    model=load.MODEL,
                    messages=[{"role": "user", "content": load.prompt(n)}],
                    max_tokens=load.MAX_TOKENS,
                    temperature=1.0,
                    top_p=0.95,
                    seed=n,
                )
                replies += bool(reply.choices[0].message.content)
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            for n in range(calls):
                await slots.acquire()
                group.create_task(one(n))
    return replies


if __name__ == "__main__":
    args = load.arguments()
    load.told(lambda: asyncio.run(ask(args.url, args.calls, args.setting)))
