"""Remote: a reward model on a server, asked over HTTP in one of the two ways that vLLM serves them.

`chat` sends the conversation to /pooling: for reward models that were trained on conversations. `pair` sends prompt and
answer to /score: for cross encoders and rerankers. A score is a call like any other: an engine of its own, beside the
one that answers, keeps the pace, and the journal keeps what it says.
"""

import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field

from tuneworks.factory.engine import Completion, Engine, EngineOptions, Request, opened_beside
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.openai.connection import Connection
from tuneworks.factory.engines.openai.failures import NotServed
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.engines.pace.paced import Pace, Paced
from tuneworks.factory.engines.pace.server import Attempt, Server
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.quoting import one_line
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.factory.reward import Reward

Speaks = Literal["chat", "pair"]


class RewardServer(Server):
    """A reward model on one server. A request is a conversation that ends in the answer; the text of the reply is the
    score."""

    def __init__(self, at: Place, speaks: Speaks, in_flight: int) -> None:
        self.place = at.url
        self._at = at
        self._speaks = speaks
        self._connection = Connection(at, in_flight)

    async def attempt(self, request: Request) -> Attempt:
        path, body = self._asked(request.messages)
        try:
            told = await self._connection.post(self._at.root + path, body)
        except NotServed as error:
            raise self._explained(error, path) from error
        return Attempt(Completion(repr(number_in(told.body))))

    async def close(self) -> None:
        await self._connection.close()

    def _asked(self, messages: tuple[Message, ...]) -> tuple[str, dict[str, Any]]:
        plain = {"model": self._at.model, "use_activation": False}
        if self._speaks == "pair":
            prompt = "\n\n".join(m.content for m in messages[:-1])
            return "/score", {**plain, "text_1": prompt, "text_2": messages[-1].content}
        turns = [{"role": m.role, "content": m.content} for m in messages]
        return "/pooling", {**plain, "messages": turns, "add_generation_prompt": False, "task": "classify"}

    def _explained(self, error: NotServed, path: str) -> EngineUnavailable:
        """A server that knows the model may not know this way of asking it."""
        if error.status not in (405, 501):
            return error
        other = "pair" if self._speaks == "chat" else "chat"
        return EngineUnavailable(
            f"the server at {self.place} does not serve {self._at.model} under {path}; write speaks: {other}, "
            "or serve it as a reward model"
        )


class RewardEngine(EngineOptions):
    """The engine of a remote reward; it answers with scores alone."""

    kind: ClassVar[str] = "reward"

    server: OpenAI
    speaks: Speaks

    def open(self) -> Paced:
        """One engine at one server, named by what decides a score."""
        options = self.server
        name = f"reward:{self.speaks}:{options.model}@{options.places[0]}"
        servers = [RewardServer(place, self.speaks, options.in_flight) for place in options.at()]
        return Paced(name, servers, Pace(options.in_flight, patience=options.patience), structured=False)


class Remote(Reward):
    """A reward model on a server (vLLM) scores each answer."""

    kind: ClassVar[str] = "remote"

    model: str
    """The reward model's name on the server."""
    base_url: str
    """Where the server is, such as http://localhost:8000/v1."""
    speaks: Speaks = "chat"
    """`chat`: the conversation to /pooling (reward models); `pair`: prompt and answer to /score (cross encoders)."""
    api_key_env: str = "REWARD_API_KEY"
    """The environment variable that holds the key, if the server wants one; the key is never written anywhere."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds until an unanswered request is tried again."""
    patience: float = Field(default=300.0, gt=0)
    """Seconds for which the server may be away before the run is stopped."""

    def check(self) -> None:
        self._engine.server.check()

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        scorer = opened_beside(engine, self._engine)
        reply = await scorer.complete(Request((*record.prompt, Message("assistant", answer.text))))
        return float(reply.text)

    def decides(self) -> dict[str, Any]:
        return {self.kind: {"model": self.model, "base_url": self.base_url, "speaks": self.speaks}}

    @cached_property
    def _engine(self) -> RewardEngine:
        server = OpenAI(
            model=self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            timeout=self.timeout,
            patience=self.patience,
        )
        return RewardEngine(server=server, speaks=self.speaks)


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
