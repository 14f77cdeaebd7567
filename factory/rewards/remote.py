"""Remote: a reward model on a server, asked over HTTP in one of the two ways that vLLM serves them.

`chat` sends the conversation to /pooling: for reward models that were trained on conversations. `pair` sends prompt and
answer to /score: for cross encoders and rerankers. The official OpenAI client carries both: it retries what may pass
(connections, 429 with Retry-After up to two minutes, 5xx) a bounded number of times.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, ClassVar, Literal

import openai
from pydantic import Field

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.openai import FAILURES, RETRIES, OpenAI, explained, foreign, one_line
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.reward import Reward, whole_prompt

IN_FLIGHT = 32
"""Most requests under way at a time."""

NOT_SERVED = (405, 501)
"""What a server says that knows the model and not this way of asking it."""


class Remote(Reward):
    """A reward model on a server (vLLM) scores each answer."""

    kind: ClassVar[str] = "remote"

    model: str
    """The reward model's name on the server."""
    base_url: str
    """Where the server is, such as http://localhost:8000/v1."""
    speaks: Literal["chat", "pair"] = "chat"
    """`chat`: the conversation to /pooling (reward models); `pair`: prompt and answer to /score (cross encoders)."""
    api_key_env: str = "REWARD_API_KEY"
    """The environment variable that holds the key, if the server wants one; the key is never written anywhere."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds until an unanswered request is tried again."""

    def check(self) -> None:
        self._server().check()

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        path, body = self._asked(record, answer)
        try:
            reply = await asyncio.get_running_loop().run_in_executor(_threads(), self._post, path, body)
        except openai.APIStatusError as error:
            if error.status_code in NOT_SERVED:
                raise self._not_served(path) from error
            raise explained(error, self._server()) from error
        except FAILURES as error:
            raise explained(error, self._server()) from error
        if not isinstance(reply, Mapping):  # a web page comes as a plain string
            raise foreign(self._server())
        return number_in(reply)

    def _asked(self, record: Record, answer: Answer) -> tuple[str, dict[str, Any]]:
        plain = {"model": self.model, "use_activation": False}
        if self.speaks == "pair":
            return "/score", {**plain, "text_1": whole_prompt(record), "text_2": answer.text}
        turns = [{"role": m.role, "content": m.content} for m in record.prompt]
        turns.append({"role": "assistant", "content": answer.text})
        return "/pooling", {**plain, "messages": turns, "add_generation_prompt": False, "task": "classify"}

    def _server(self) -> OpenAI:
        return OpenAI(model=self.model, base_url=self.base_url, api_key_env=self.api_key_env, timeout=self.timeout)

    def _post(self, path: str, body: dict[str, Any]) -> object:
        """Blocks; both paths lie beside /v1, not under it."""
        root = self.base_url.rstrip("/").removesuffix("/v1")
        client = _client(self.base_url, os.environ.get(self.api_key_env, "") or "none", self.timeout)
        return client.post(root + path, cast_to=object, body=body)

    def _not_served(self, path: str) -> EngineUnavailable:
        other = "pair" if self.speaks == "chat" else "chat"
        return EngineUnavailable(
            f"the server at {self.base_url} does not serve {self.model} under {path}; write speaks: {other}, "
            "or serve it as a reward model"
        )


@cache
def _client(base_url: str, key: str, timeout: float) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key=key, max_retries=RETRIES, timeout=timeout)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="remote reward")


def number_in(reply: Mapping[Any, Any]) -> float:
    """The one number of a reply: {"data": [{"score": 1.5}]} or {"data": [{"data": [1.5]}]}."""
    held: Any = reply.get("data")
    entry = held[0] if isinstance(held, list) and len(held) == 1 else None
    value: Any = entry.get("score", entry.get("data")) if isinstance(entry, Mapping) else None
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        raise EngineError(f"the reward server gave {len(value)} numbers; serve a reward model, which has one output")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) <= sys.float_info.max:
        raise EngineError(f"the reward server's reply holds no score; it says {one_line(dict(reply))}")
    return float(value)
