"""Exact log-probabilities from a vLLM server: of a reply that is given, and of candidates that no list named.

Both need tokens, which only the server's own tokenizer can say: /tokenize lays a conversation out as the model reads
it. Context and reply are tokenised apart, as they are when the model writes, and /v1/completions takes tokens as they
are.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tuneworks.factory.engine import Completion, Loss, Request, Usage
from tuneworks.factory.engines.openai.asking import CONTINUED, messages_of
from tuneworks.factory.engines.openai.connection import Connection
from tuneworks.factory.engines.openai.failures import NotServed
from tuneworks.factory.engines.openai.replies import first_choice, usage_of
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.prices import Price

ONE_TURN = ({"role": "user", "content": "."},)
"""Laid out with and without the sign that a reply begins, it shows that sign."""


class Scoring:
    def __init__(self, connection: Connection, price: Price | None) -> None:
        self._connection = connection
        self._price = price
        self._header: list[int] = []

    async def given(self, request: Request) -> Completion:
        """How likely the model finds the reply that is given. Raises EngineUnavailable at a server that cannot tell."""
        context, reply = await asyncio.gather(self._context(request), self._text(request.given))
        if not reply:
            raise EngineError("there is no text of which to say how likely it is")
        told = await self._completed(
            context + reply, {"echo": True, "max_tokens": 0, "logprobs": 0, "temperature": 1.0}
        )
        log_probs = _numbers(first_choice(told).get("logprobs"), len(context) + len(reply))
        if log_probs is None:
            raise self._cannot()
        return Completion(
            "", "stop", usage_of(told, self._price), loss=Loss(-sum(log_probs[len(context) :]), len(reply))
        )

    async def candidates(self, request: Request, unlisted: Sequence[str]) -> tuple[dict[str, float], Usage]:
        """The log-probability of each unlisted candidate's first token as the reply's first, and what asking took. A
        token with which two candidates begin stands for neither."""
        found = await asyncio.gather(self._context(request), *map(self._text, request.candidates))
        context, firsts = found[0], {c: t[0] for c, t in zip(request.candidates, found[1:], strict=True) if t}
        alone = [token for token, times in Counter(firsts.values()).items() if times == 1]
        if not alone:
            return {}, Usage()
        asked = {"max_tokens": 1, "temperature": 0.0, "logprobs": len(alone), "logprob_token_ids": alone}
        told = await self._completed(context, {**asked, "return_tokens_as_token_ids": True})
        listed = _listed(first_choice(told).get("logprobs"))
        exact = {c: listed[firsts[c]] for c in unlisted if firsts.get(c) in alone and firsts[c] in listed}
        return exact, usage_of(told, self._price)

    async def _context(self, request: Request) -> list[int]:
        """The conversation up to where the reply begins; without messages, only the template's sign that it does."""
        if not request.messages:
            return await self._sign()
        form = CONTINUED if request.opening else {"add_generation_prompt": True}
        return await self._tokens({"messages": messages_of(request, continues=True), **form})

    async def _sign(self) -> list[int]:
        if not self._header:
            without, with_sign = await asyncio.gather(
                self._tokens({"messages": ONE_TURN, "add_generation_prompt": False}),
                self._tokens({"messages": ONE_TURN, "add_generation_prompt": True}),
            )
            if with_sign[: len(without)] != without or len(with_sign) == len(without):
                raise EngineUnavailable(
                    f"the chat template of {self._connection.place.model} has no sign that a reply begins, so a server "
                    "cannot score a text without its prompt; score it in this process, with the engine vllm or "
                    "transformers"
                )
            self._header = with_sign[len(without) :]
        return self._header

    async def _text(self, text: str) -> list[int]:
        plain = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text to a tokenizer
        return await self._tokens({"prompt": plain, "add_special_tokens": False}) if plain else []

    async def _tokens(self, asked: Mapping[str, Any]) -> list[int]:
        told = await self._told(self._connection.place.root + "/tokenize", asked)
        tokens = told.get("tokens")
        if not isinstance(tokens, list):
            raise self._cannot()
        return tokens

    async def _completed(self, tokens: Sequence[int], asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._told("/completions", {"prompt": tokens, **asked})

    async def _told(self, path: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return (await self._connection.post(path, {"model": self._connection.place.model, **asked})).body
        except NotServed as error:
            raise self._cannot() from error

    def _cannot(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"the server at {self._connection.place.url} cannot say how likely a given text is; serve the model with "
            "vLLM, or use the engine vllm or transformers"
        )


def _numbers(log_probs: object, count: int) -> list[float] | None:
    """One log-probability a token; the first has none."""
    told = log_probs.get("token_logprobs") if isinstance(log_probs, Mapping) else None
    if not isinstance(told, list) or len(told) != count or not all(isinstance(p, float | int) for p in told[1:]):
        return None
    return [0.0, *map(float, told[1:])]


def _listed(log_probs: object) -> dict[int, float]:
    """By token, of the first place: {"token_id:17": -0.5}."""
    told = log_probs.get("top_logprobs") if isinstance(log_probs, Mapping) else None
    first = told[0] if isinstance(told, list) and told and isinstance(told[0], Mapping) else {}
    return {int(name.removeprefix("token_id:")): float(value) for name, value in first.items()}
