"""The key of a call: all that can change a reply is in it, and it stays what it was in older journals."""

from dataclasses import fields, replace

from tuneworks.factory.engine import Request
from tuneworks.factory.journal.call import key_for, key_of, written
from tuneworks.factory.record import Message

ASK = Request((Message("user", "Name a fish."),))
FULL = Request(
    (Message("system", "Be brief é."), Message("user", 'Name "two" fish \U0001f41f.\n')),
    opening="A",
    max_tokens=9,
    temperature=0.5,
    top_p=0.25,
    presence_penalty=0.5,
    stop=("x", "\n"),
    seed=7,
    candidates=("1", "2"),
    schema='{"a": 1}',
    given="carp",
)
CHANGED = {
    "messages": replace(ASK, messages=(Message("system", "Name a fish."),)),
    "opening": replace(ASK, opening="A"),
    "max_tokens": replace(ASK, max_tokens=9),
    "temperature": replace(ASK, temperature=0.5),
    "top_p": replace(ASK, top_p=0.5),
    "presence_penalty": replace(ASK, presence_penalty=0.5),
    "stop": replace(ASK, stop=("x",)),
    "seed": replace(ASK, seed=1),
    "candidates": replace(ASK, candidates=("1",)),
    "schema": replace(ASK, schema="{}"),
    "given": replace(ASK, given="A carp."),
}


def test_every_field_and_the_engine_are_in_the_key() -> None:
    assert set(CHANGED) == {field.name for field in fields(Request)}
    assert {field.name for field in fields(Message)} == {"role", "content"}
    keys = [key_of("e", request) for request in CHANGED.values()]
    more = [key_of("e", ASK), key_of("f", ASK), key_of("e", replace(ASK, messages=ASK.messages * 2))]
    assert len({*keys, *more}) == len(CHANGED) + 3


def test_keys_are_those_of_older_journals() -> None:
    engine = "openai:tiny@http://localhost/v1"
    assert key_of(engine, ASK) == "da5698e6c57dabf904b0abfd43f5d70e"
    assert key_of(engine, FULL) == "d222c25a5d18becddabc87d4cd796ef0"


def test_only_what_differs_from_a_plain_request_is_written() -> None:
    assert written(ASK) == '{"messages": [{"content": "Name a fish.", "role": "user"}]}'
    assert key_for("e", written(ASK)) == key_of("e", ASK)
