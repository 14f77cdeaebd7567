"""The official client around one server: one attempt a call, and the reply as it came.

The client's own pool of connections looks through all of them at every request. At 256 connections that costs more than
all the rest, so requests go round many small pools. Replies are read as plain JSON: building the client's objects takes
longer than everything else that is done with a reply.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai

from tuneworks.factory.engines.openai.failures import explained, foreign, refused, status_within
from tuneworks.factory.engines.openai.place import Place

CONNECT_SECONDS = 10.0
"""For a connection: a server that is there takes it at once, however long its replies take."""

POOL = 16
"""Connections to a pool, about."""

NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=4.0)
"""Whoever keeps the pace decides how many requests are under way. Servers close a quiet connection after 5 seconds."""


@dataclass(frozen=True, slots=True)
class Told:
    """A reply: its JSON and its headers."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]


class Pools(httpx2.AsyncBaseTransport):
    """Connections in several pools, asked in turn."""

    def __init__(self, count: int) -> None:
        context = httpx2.create_ssl_context()
        self._pools = [httpx2.AsyncHTTPTransport(verify=context, limits=NO_LIMITS) for _ in range(count)]
        self._turn = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._turn = (self._turn + 1) % len(self._pools)
        return await self._pools[self._turn].handle_async_request(request)

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


class Connection:
    def __init__(self, place: Place, in_flight: int) -> None:
        self.place = place
        self._client = openai.AsyncOpenAI(
            base_url=place.url,
            api_key=place.key.text,
            max_retries=0,
            timeout=httpx2.Timeout(place.timeout, connect=CONNECT_SECONDS, pool=None),
            http_client=_http_client(place.url, in_flight),
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> Told:
        """One attempt. Raises what `explained` and `refused` make of a failure."""
        return read(await self._sent(self._client.post(path, cast_to=httpx2.Response, body=body)), self.place)

    async def get(self, path: str) -> Told:
        return read(await self._sent(self._client.get(path, cast_to=httpx2.Response)), self.place)

    async def _sent(self, sending: Any) -> httpx2.Response:
        try:
            # The client's timeouts are for each step: a server that sends a byte now and then never exceeds one.
            async with asyncio.timeout(self.place.timeout):
                response: httpx2.Response = await sending
        except (openai.OpenAIError, httpx2.HTTPError, TimeoutError) as error:
            raise explained(error, self.place) from error
        return response

    async def close(self) -> None:
        await self._client.close()


def read(response: httpx2.Response, place: Place) -> Told:
    """The JSON of a reply. Raises Foreign where it is something else."""
    said = place.key.out_of(response.content)
    try:
        told = json.loads(said)
    except ValueError as error:
        raise foreign(place, said) from error
    if not isinstance(told, dict):
        raise foreign(place, said)
    if (status := status_within(told)) is not None:
        raise refused(status, said, response.headers, place)
    return Told(told, response.headers)


def _http_client(url: str, in_flight: int) -> httpx2.AsyncClient:
    host = urlsplit(url).hostname or ""
    if getproxies() and not proxy_bypass(host):  # only the client's own pool finds its way through a proxy
        return openai.DefaultAsyncHttpxClient(limits=NO_LIMITS)
    return openai.DefaultAsyncHttpxClient(transport=Pools(-(-in_flight // POOL)))
