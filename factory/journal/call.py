"""What the journal writes of a call, and the key it is found by."""

import json
from dataclasses import MISSING, fields
from hashlib import blake2b
from typing import Any, NamedTuple

from tuneworks.factory.engine import Completion, Request

_SETTINGS = [(f.name, f.default) for f in fields(Request) if f.default is not MISSING]
_json = json.JSONEncoder(ensure_ascii=True, sort_keys=True).encode


def written(request: Request) -> str:
    """What differs from a plain request: a setting that is added later makes no key of an older journal another."""
    held: dict[str, Any] = {"messages": [{"role": m.role, "content": m.content} for m in request.messages]}
    for name, default in _SETTINGS:
        value = getattr(request, name)
        if value != default:
            held[name] = value
    return _json(held)


def key_for(engine: str, asked: str) -> str:
    """The key of a request as `written`."""
    return blake2b(f"{engine}\n{asked}".encode(), digest_size=16).hexdigest()


def key_of(engine: str, request: Request) -> str:
    return key_for(engine, written(request))


class Call(NamedTuple):
    """An answered request."""

    key: str
    engine: str
    request: str
    """As `written`."""
    reply: Completion
    seconds: float
    at: float
    """When the reply came, in seconds since 1970."""

    def row(self, run: str) -> tuple[Any, ...]:
        reply = self.reply
        used, loss = reply.usage, reply.loss
        log_probs = _json(dict(reply.log_probs)) if reply.log_probs else "{}"
        return (
            self.key, self.engine, run, self.at, round(self.seconds, 3), used.prompt_tokens, used.completion_tokens,
            used.usd, loss and loss.nats, loss and loss.tokens, reply.finish, log_probs, reply.text, self.request,
        )  # fmt: skip


class Failure(NamedTuple):
    """A request that cannot be answered, and the sentence that says why."""

    key: str
    engine: str
    request: str
    error: str
    seconds: float
    at: float

    def row(self, run: str) -> tuple[Any, ...]:
        return (self.key, self.engine, run, self.at, round(self.seconds, 3), self.error, self.request)
