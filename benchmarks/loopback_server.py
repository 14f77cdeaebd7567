"""A server with OpenAI's chat interface that answers everything after the same time, with as little work as it can.

    python benchmarks/loopback_server.py [--delay 0.05] [--core 0]

Any number of requests may be in flight. It prints its port, and ends when its standard input does. `GET /v1/seen` says
what it has seen since it was last asked.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

MODEL = "loopback"
TEXT = "The river turns twice before it meets the town, and the old mill still stands between the two bridges. " * 2
REPLY = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "logprobs": None,
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 24, "completion_tokens": 44, "total_tokens": 68},
}  # fmt: skip
MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1700000000, "owned_by": "loopback"}]}
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
WAITING = 4096
"""Connections that may wait to be taken."""


def message(said: object) -> bytes:
    body = json.dumps(said).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Seen:
    """What came since the last time somebody asked."""

    def __init__(self) -> None:
        self.answered = self.in_flight = self.most_in_flight = 0
        self._cpu = time.process_time()

    def told(self) -> dict[str, float]:
        told = {"answered": self.answered, "most_in_flight": self.most_in_flight, "cpu": time.process_time()}
        told["cpu"] -= self._cpu
        self.answered, self.most_in_flight, self._cpu = 0, self.in_flight, time.process_time()
        return told


class Answering(asyncio.Protocol):
    """One connection, kept alive; the reply is ready before anybody asks."""

    def __init__(self, seen: Seen, delay: float) -> None:
        self._seen, self._delay, self._got = seen, delay, bytearray()
        self._reply, self._models = message(REPLY), message(MODELS)
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (head := self._got.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._got, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._got) < end:
                return
            line = bytes(self._got[: self._got.find(b"\r\n")])
            del self._got[:end]
            self._asked(line)

    def _asked(self, line: bytes) -> None:
        if line.startswith(b"POST"):
            self._seen.in_flight += 1
            self._seen.most_in_flight = max(self._seen.most_in_flight, self._seen.in_flight)
            self._loop.call_later(self._delay, self._answer)
        else:
            self._transport.write(message(self._seen.told()) if b"/seen" in line else self._models)

    def _answer(self) -> None:
        self._seen.in_flight -= 1
        if not self._transport.is_closing():
            self._seen.answered += 1
            self._transport.write(self._reply)


async def serve(delay: float) -> None:
    loop, seen = asyncio.get_running_loop(), Seen()
    server = await loop.create_server(lambda: Answering(seen, delay), "127.0.0.1", 0, backlog=WAITING)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


@contextmanager
def served(delay: float, core: int | None = None) -> Iterator[str]:
    """The server in a process of its own, on one core; yields its base URL."""
    command = [sys.executable, __file__, "--delay", str(delay), *(["--core", str(core)] if core is not None else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.stdin.close()


def seen_at(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/seen", timeout=10) as reply:
        told: dict[str, float] = json.load(reply)
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--core", type=int)
    args = parser.parse_args()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    asyncio.run(serve(args.delay))
