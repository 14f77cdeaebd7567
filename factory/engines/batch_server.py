"""The server's side of batches, through the official client, with patience for trouble that may pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import IO, Protocol, TypeVar

import httpx2
import openai
from openai.pagination import AsyncCursorPage
from openai.types import Batch as ServerBatch
from openai.types import FileObject

from tuneworks.factory.engines.batch_lines import ENDPOINT
from tuneworks.factory.engines.openai.failures import explained, foreign
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass

PATIENCE = 3600.0
"""Seconds of trouble without a break after which the run is stopped."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0

MARK = "tuneworks"
"""Under this name a batch's digest stands among the server's metadata."""

T = TypeVar("T")


class Clock(Protocol):
    """Time, as far as a batch waits for it."""

    def now(self) -> float:
        """Seconds, from any beginning."""

    async def sleep(self, seconds: float) -> None: ...


class WallClock(Clock):
    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class BatchServer:
    def __init__(self, place: Place, clock: Clock) -> None:
        self.place = place
        self.trouble = ""
        """What is wrong at the moment, and may pass."""
        self._clock = clock
        self._client = openai.AsyncOpenAI(
            base_url=place.url, api_key=place.key.text, max_retries=0, timeout=place.timeout
        )

    async def submit(self, file: IO[bytes], digest: str) -> str:
        """Upload the requests and make a batch of them; its id. Never makes two, whatever happens on the way."""
        uploaded = await self._patiently(lambda: self._upload(file, digest))
        tried = False

        async def make() -> str:
            nonlocal tried
            # The server may have made it and only its word of that been lost.
            if tried and (made := (await self._listed([digest])).get(digest)):
                return made
            tried = True
            batch = await self._client.batches.create(
                completion_window="24h", endpoint=ENDPOINT, input_file_id=uploaded, metadata={MARK: digest}
            )
            return _whole(batch, ServerBatch).id

        return await self._patiently(make)

    async def find(self, digests: Collection[str]) -> dict[str, str]:
        """The ids of those batches that the server has, by their digests."""
        return await self._patiently(lambda: self._listed(digests))

    async def look(self, batch_id: str) -> ServerBatch:
        async def look() -> ServerBatch:
            try:
                return _whole(await self._client.batches.retrieve(batch_id), ServerBatch)
            except openai.NotFoundError as error:
                raise EngineUnavailable(
                    f"the server at {self.place.url} knows no batch {batch_id}; use the key of the project that "
                    "submitted it, or build with another journal to submit its requests anew"
                ) from error

        return await self._patiently(look)

    async def download(self, file_id: str, into: IO[bytes]) -> bool:
        """Append the file to `into`. False if the server has thrown it away."""
        begin = into.tell()

        async def download() -> bool:
            into.seek(begin)
            into.truncate()
            try:
                async with self._client.files.with_streaming_response.content(file_id) as reply:
                    if "html" in reply.headers.get("content-type", ""):
                        raise ValueError("a web page instead of the answers")
                    async for piece in reply.iter_bytes():
                        into.write(piece)
            except openai.NotFoundError:
                return False
            return True

        return await self._patiently(download)

    async def close(self) -> None:
        await self._client.close()

    async def _upload(self, file: IO[bytes], digest: str) -> str:
        file.seek(0)
        name = f"tuneworks-{digest}.jsonl"
        uploaded = await self._client.files.create(file=(name, file, "application/jsonl"), purpose="batch")
        return _whole(uploaded, FileObject).id

    async def _listed(self, digests: Collection[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        async for batch in _whole(await self._client.batches.list(limit=100), AsyncCursorPage):
            digest = (batch.metadata or {}).get(MARK, "")
            if digest in digests:
                found.setdefault(digest, batch.id)
            if len(found) == len(digests):
                break
        return found

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        began, pause = None, FIRST_PAUSE
        while True:
            try:
                done = await act()
            except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
                failure = self._explained(error)
                if not isinstance(failure, MayPass):
                    # It is never one request's fault: the file, the batch or the key is refused.
                    raise EngineUnavailable(str(failure)) from error
                self.trouble = str(failure)
                began = self._clock.now() if began is None else began
                if self._clock.now() - began >= PATIENCE:
                    raise EngineUnavailable(
                        f"{failure}, and so for an hour; what was submitted is kept there: build again when it is well"
                    ) from error
                await self._clock.sleep(max(pause, failure.wait or 0.0))
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self.trouble = ""
                return done

    def _explained(self, error: Exception) -> EngineError:
        if isinstance(error, httpx2.HTTPError):  # while a file came down, past the client's own care
            return MayPass(f"the server at {self.place.url} broke the connection off")
        if isinstance(error, openai.OpenAIError):
            return explained(error, self.place)
        return foreign(self.place, self.place.key.out_of(str(error).encode("utf-8", "replace")))


def _whole(said: object, kind: type[T]) -> T:
    """The client hands a web page on as a string."""
    if not isinstance(said, kind):
        raise ValueError(str(said))
    return said
