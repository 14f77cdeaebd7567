"""One server that speaks OpenAI's interface, one attempt a call."""

import asyncio
from dataclasses import replace

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.openai.asking import chat_body
from tuneworks.factory.engines.openai.connection import Connection, Told
from tuneworks.factory.engines.openai.failures import Foreign, NotServed, schema_refused
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.engines.openai.replies import both, completion
from tuneworks.factory.engines.openai.scoring import Scoring
from tuneworks.factory.engines.openai.waits import pause
from tuneworks.factory.engines.pace.server import Attempt, Server
from tuneworks.factory.errors import EngineError, MayPass
from tuneworks.factory.prices import Price


class OpenAIServer(Server):
    def __init__(self, at: Place, in_flight: int, price: Price | None) -> None:
        self.place = at.url
        self._at = at
        self._price = price
        self._connection = Connection(at, in_flight)
        self._scoring = Scoring(self._connection, price)
        self._vllm: bool | None = None
        self._asking_whose = asyncio.Lock()

    async def attempt(self, request: Request) -> Attempt:
        if request.given:
            return Attempt(await self._scoring.given(request))
        continues = bool(request.opening) and await self._is_vllm()
        told = await self._chatted(request, continues)
        reply = completion(told.body, request, self._price)
        unlisted = [c for c in request.candidates if c not in reply.log_probs]
        if unlisted and await self._is_vllm():
            reply = await self._with_all(request, reply, unlisted)
        return Attempt(reply, pause(told.headers))

    async def close(self) -> None:
        await self._connection.close()

    async def _chatted(self, request: Request, continues: bool) -> Told:
        try:
            return await self._connection.post("/chat/completions", chat_body(request, self._at, continues))
        except EngineError as error:
            if (refusal := schema_refused(error, request, "server", "openai")) is not None:
                raise refusal from error
            raise

    async def _with_all(self, request: Request, reply: Completion, unlisted: list[str]) -> Completion:
        """The reply with those candidates that were not among the likeliest tokens; as it is where a proxy or an older
        vLLM does not let them be asked."""
        try:
            exact, used = await self._scoring.candidates(request, unlisted)
        except MayPass:
            raise
        except EngineError:
            return reply
        return replace(reply, log_probs={**reply.log_probs, **exact}, usage=both(reply.usage, used))

    async def _is_vllm(self) -> bool:
        """Whether it can do what of all servers vLLM can. Asked once."""
        async with self._asking_whose:
            if self._vllm is None:
                self._vllm = self._at.own and await self._says_vllm()
        return self._vllm

    async def _says_vllm(self) -> bool:
        try:
            listed = (await self._connection.get("/models")).body.get("data")
        except (NotServed, Foreign):
            return False
        return isinstance(listed, list) and any(isinstance(m, dict) and m.get("owned_by") == "vllm" for m in listed)
