"""Asking for a list: what cannot be read is asked for again, and the raw reply is kept."""

import asyncio

import pytest

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.form import Unreadable
from tuneworks.factory.record import Message, Record, to_rejected_table
from tuneworks.factory.self_instruct.asking import Lost, read_reply

PLAIN = Request((Message("user", "A list?"),), seed=7)
JSON = Request((Message("user", "A list?"),), seed=7, schema="{}")


def good(reply: Completion) -> str:
    if "yes" not in reply.text:
        raise Unreadable(f"{reply.text!r} is no list")
    return reply.text


def test_a_request_with_a_schema_is_asked_again_with_other_seeds() -> None:
    replies = iter(["no", "no", "yes"])
    engine = Scripted(lambda _: next(replies))
    assert asyncio.run(read_reply(engine, JSON, good)) == "yes"
    assert len({call.seed for call in engine.calls}) == 3 and engine.calls[0] == JSON


def test_a_plain_request_is_asked_once() -> None:
    engine = Scripted(lambda _: "no \ud83d")
    lost = asyncio.run(read_reply(engine, PLAIN, good))
    assert isinstance(lost, Lost) and len(engine.calls) == 1
    rejected = lost.rejected("s", [Record.born("x")], "made", {"round": 2})
    assert (rejected.part, rejected.record.source, rejected.record.meta) == ("reply", "made", {"round": 2})
    assert rejected.record.answers[0].text.startswith("no ")
    assert to_rejected_table([rejected]).height == 1


def test_an_engine_that_fails_ends_it() -> None:
    left: list[str] = ["no"]

    def reply(_: Request) -> str:
        if not left:
            raise EngineError("too long")
        return left.pop()

    lost = asyncio.run(read_reply(Scripted(reply), JSON, good))
    assert isinstance(lost, Lost) and (lost.reason, lost.raw) == ("too long", "no")


def test_an_engine_that_is_gone_stops_the_run() -> None:
    def reply(_: Request) -> str:
        raise EngineUnavailable("no server")

    with pytest.raises(EngineUnavailable):
        asyncio.run(read_reply(Scripted(reply), JSON, good))
