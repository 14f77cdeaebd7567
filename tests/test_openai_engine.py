"""The engine openai against a server that misbehaves."""

import asyncio
import json
import math
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from misbehaving_server import SOON, WEB_PAGE, Act, Server, fails, models, says, serving

from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.engines import openai as engine_module
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Message

KEY = "sk-very-secret-0123456789"
ASK = Request((Message("user", "Name a fish."),), max_tokens=20, temperature=0.5, seed=11)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(engine_module, "RETRIES", 1)


def options(server: Server, timeout: float = 20.0, in_flight: int = 64) -> OpenAI:
    return OpenAI(model="tiny", base_url=server.url, timeout=timeout, in_flight=in_flight)


def ask(server: Server, request: Request = ASK, timeout: float = 20.0) -> Completion:
    return ask_with(options(server, timeout), request)


def ask_with(chosen: OpenAI, request: Request = ASK) -> Completion:
    async def once() -> Completion:
        engine = chosen.open()
        try:
            return await engine.complete(request)
        finally:
            await engine.close()

    return asyncio.run(once())


def test_a_reply_and_what_was_sent() -> None:
    with serving([says("A carp.")]) as server:
        reply = ask(server, replace(ASK, top_p=0.9, presence_penalty=0.25, stop=("\n\n",)))
    assert reply == Completion("A carp.", "stop", Usage(7, 3))
    (sent,) = server.asked
    assert sent == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Name a fish."}],
        "max_tokens": 20,
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 0.25,
        "seed": 11,
        "stop": ["\n\n"],
    }
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("finish", "expected"), [("stop", "stop"), ("length", "length"), ("content_filter", "other"), ("??", "other")]
)
def test_why_the_reply_ended(finish: str, expected: str) -> None:
    with serving([says("A carp.", finish)]) as server:
        assert ask(server).finish == expected


def test_a_reply_without_text_is_empty() -> None:
    with serving([says(None)]) as server:
        assert ask(server).text == ""


@pytest.mark.parametrize(
    "trouble",
    [
        fails(429),
        fails(429, headers={"Retry-After": "0.02"}),
        fails(429, headers={}),
        fails(500),
        fails(503),
        Act(says("a carp").body, cut=True),
    ],
    ids=["429 soon", "429 Retry-After", "429", "500", "503", "cut"],
)
def test_what_passes_is_tried_again(trouble: Act) -> None:
    with serving([trouble, says("A carp.")]) as server:
        assert ask(server).text == "A carp."
        assert len(server.asked) == 2
        assert server.asked[0] == server.asked[1]


def test_a_slow_server_is_tried_again() -> None:
    with serving([says("late", seconds=1.0), says("A carp.")]) as server:
        assert ask(server, timeout=0.3).text == "A carp."


LONG = fails(500, "oh,\n" * 300)

LASTING: dict[str, tuple[Act, type[EngineError], str]] = {
    "400": (fails(400, "context too long"), EngineError, "could not answer: .*context too long"),
    "422": (fails(422, "bad seed"), EngineError, "could not answer: .*bad seed"),
    "500": (fails(500, "broken"), EngineError, "could not answer: .*broken"),
    "500 long": (LONG, EngineError, "could not answer: .*oh, .*[.][.][.]$"),
    "500 page": (Act("<html>\n", 500, "text/html", SOON), EngineError, "could not answer: Error code: 500"),
    "401": (fails(401), EngineUnavailable, "refused the key; put the right one in OPENAI_API_KEY"),
    "403": (fails(403), EngineUnavailable, "refused the key"),
    "404": (fails(404, "model not found"), EngineUnavailable, "no model 'tiny' or no such path"),
    "429": (fails(429), EngineUnavailable, "rate limit or quota; build again later"),
    "502": (fails(502), EngineUnavailable, r"not available \(HTTP 502\)"),
    "503": (fails(503), EngineUnavailable, r"not available \(HTTP 503\)"),
    "cut": (Act("x" * 100, cut=True), EngineUnavailable, "no server answers at"),
    "page": (WEB_PAGE, EngineUnavailable, "does not speak OpenAI's interface; correct base_url"),
    "broken JSON": (Act("<html>"), EngineUnavailable, "does not speak OpenAI's interface"),
    "list": (Act("[]"), EngineUnavailable, "does not speak OpenAI's interface"),
    "no choice": (Act('{"error": {"message": "all\\n busy"}}'), EngineError, "holds no choice; it says .*busy"),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_pass_is_one_sentence_of_the_right_kind(name: str) -> None:
    act, kind, words = LASTING[name]
    with serving([act]) as server:
        with pytest.raises(EngineError, match=words) as caught:
            ask(server)
        tries = len(server.asked)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert tries == (2 if act.status in (429, 500, 502, 503) or act.cut else 1)


def test_a_server_that_never_answers_in_time() -> None:
    with (
        serving([says("late", seconds=0.6)]) as server,
        pytest.raises(EngineUnavailable, match="did not answer in time"),
    ):
        ask(server, timeout=0.1)


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def test_no_server() -> None:
    with pytest.raises(EngineUnavailable, match="no server answers at http://127"):
        ask_with(OpenAI(model="tiny", base_url=free_url()))


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_the_key_is_written_nowhere(status: int, tmp_path: Path) -> None:
    async def failing(server: Server) -> tuple[str, str]:
        journal = Journal(tmp_path / "journal.sqlite")
        engine = Journaled(options(server).open(), journal)
        with pytest.raises(EngineError) as caught:
            await engine.complete(ASK)
        await engine.close()
        journal.close()
        return str(caught.value), f"{engine!r} {engine.name} {options(server)!r} {options(server).written()}"

    with serving([fails(status, f"the key {KEY} is not welcome")]) as server:
        said, shown = asyncio.run(failing(server))
        assert server.keys[0] == f"Bearer {KEY}"
    assert KEY not in said + shown
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_half_an_emoji_does_not_break_the_journal(tmp_path: Path) -> None:
    async def asked(server: Server) -> tuple[Completion, Completion]:
        journal = Journal(tmp_path / "journal.sqlite")
        engine = Journaled(options(server).open(), journal)
        replies = await engine.complete(ASK), await engine.complete(ASK)
        await engine.close()
        return replies

    with serving([says("A fish \ud83d")]) as server:
        first, again = asyncio.run(asked(server))
    assert first == again
    assert first.text == "A fish \ufffd"


def test_no_more_requests_under_way_than_allowed() -> None:
    async def many(server: Server) -> None:
        engine = options(server, in_flight=3).open()
        await asyncio.gather(*(engine.complete(Request(ASK.messages, seed=seed)) for seed in range(12)))
        await engine.close()

    with serving([says("fine", seconds=0.05)]) as server:
        asyncio.run(many(server))
        assert len(server.asked) == 12
        assert 2 <= server.busiest <= 3


def test_openai_itself_is_asked_with_its_own_name_for_the_limit() -> None:
    here = OpenAI(model="gpt", base_url="http://localhost:1/v1").open()
    there = OpenAI(model="gpt").open()
    asked = [asyncio.run(engine._asked(ASK)) for engine in (here, there)]
    assert [a.get("max_tokens") for a in asked] == [20, None]
    assert [a.get("max_completion_tokens") for a in asked] == [None, 20]
    assert here.name != there.name


OPENED = Request((Message("system", "Be short."), Message("user", "List fish.")), opening="1. Carp\n2.")


def test_vllm_goes_on_with_an_opening() -> None:
    async def twice(server: Server) -> None:
        engine = options(server).open()
        await asyncio.gather(engine.complete(OPENED), engine.complete(OPENED))
        await engine.close()

    with serving(listing=models("tiny", owner="vllm")) as server:
        asyncio.run(twice(server))
        assert server.listed == 1
    for sent in server.asked:
        assert sent["messages"][-1] == {"role": "assistant", "content": "1. Carp\n2."}
        assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)


def test_other_servers_are_shown_the_opening_in_the_question() -> None:
    with serving() as server:
        ask(server, OPENED)
    (sent,) = server.asked
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]
    assert sent["messages"][-1]["content"].startswith("List fish.")
    assert sent["messages"][-1]["content"].endswith("1. Carp\n2.")
    assert "continue_final_message" not in sent


def test_a_listing_that_is_a_web_page() -> None:
    with serving(listing=WEB_PAGE) as server, pytest.raises(EngineUnavailable, match="does not speak OpenAI"):
        ask(server, OPENED)


JUDGED = Request((Message("user", "Which mark?"),), candidates=("1", "2", "10"))


def test_candidates_ask_for_log_probabilities_of_one_token() -> None:
    top = {"1": math.log(0.5), " 2": math.log(0.2), "2": math.log(0.1), "x": math.log(0.1), " ": math.log(0.05)}
    with serving([says("1", log_probs=top)]) as server:
        reply = ask(server, Request(JUDGED.messages, candidates=("1", "2", "3")))
    assert reply.log_probs == pytest.approx({"1": math.log(0.5), "2": math.log(0.3)})
    (sent,) = server.asked
    assert (sent["max_tokens"], sent["logprobs"]) == (1, True)
    assert sent["top_logprobs"] >= 5


def test_a_token_that_begins_two_candidates_stands_for_neither() -> None:
    top = {"1": math.log(0.5), "2": math.log(0.2), "10": math.log(0.1)}
    with serving([says("1", log_probs=top)]) as server:
        assert ask(server, JUDGED).log_probs == pytest.approx({"2": math.log(0.2), "10": math.log(0.1)})


def test_a_token_may_be_the_beginning_of_a_candidate() -> None:
    with serving([says(" fin", log_probs={" fin": math.log(0.4), " op": math.log(0.3)})]) as server:
        reply = ask(server, Request(JUDGED.messages, candidates=(" finite", " open")))
    assert reply.log_probs == pytest.approx({" finite": math.log(0.4), " open": math.log(0.3)})


def test_a_server_without_log_probabilities() -> None:
    with serving([says("1")]) as server, pytest.raises(EngineError, match="gave no log-probabilities"):
        ask(server, JUDGED)


def test_check_needs_a_key_only_for_openai_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EngineUnavailable, match="put it in the environment variable OPENAI_API_KEY"):
        OpenAI(model="gpt").check()
    with serving() as server:
        options(server).check()
        assert ask(server).text == "fine"


def test_the_key_is_known_by_the_name_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "another")
    with serving() as server:
        ask_with(OpenAI(model="tiny", base_url=server.url, api_key_env="OTHER_KEY"))
        assert server.keys == ["Bearer another"]


def test_check_says_what_is_served() -> None:
    with serving(listing=models("big", "middle")) as server:
        with pytest.raises(EngineUnavailable, match="has no model 'tiny'; it serves big, middle") as caught:
            options(server).check()
        assert server.url in str(caught.value)
        assert server.asked == []


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        pytest.param(fails(401), "refused the key", id="401"),
        pytest.param(fails(404), "correct model or base_url", id="404"),
        pytest.param(fails(503), "not available", id="503"),
        pytest.param(WEB_PAGE, "does not speak OpenAI's interface", id="page"),
        pytest.param(Act("<html>"), "does not speak OpenAI's interface", id="broken JSON"),
    ],
)
def test_check_says_what_is_wrong_with_the_server(listing: Act, words: str) -> None:
    with serving(listing=listing) as server, pytest.raises(EngineUnavailable, match=words):
        options(server).check()


def test_check_without_a_server() -> None:
    with pytest.raises(EngineUnavailable, match="start it or correct base_url"):
        OpenAI(model="tiny", base_url=free_url()).check()


def test_options_become_a_spec_and_again_options() -> None:
    made = OpenAI(model="tiny", base_url="http://localhost:1/v1", in_flight=2)
    assert OpenAI.model_validate(json.loads(json.dumps(made.written()))["openai"]) == made


SCHEMA = json.dumps({"type": "object", "properties": {"a": {"type": "string"}}})


def test_a_schema_is_sent_as_the_format_of_the_reply() -> None:
    with serving([says('{"a": "b"}')]) as server:
        assert ask(server, replace(ASK, schema=SCHEMA)).text == '{"a": "b"}'
    sent = server.asked[0]["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["schema"] == json.loads(SCHEMA)


def test_a_server_without_schemas_stops_the_run_with_the_option_to_set() -> None:
    acts = [fails(400, "response_format json_schema is not supported")]
    with serving(acts) as server, pytest.raises(EngineUnavailable, match=r"refuses a JSON Schema.*structured: false"):
        ask(server, replace(ASK, schema=SCHEMA))
    with serving([fails(400, "too long")]) as server, pytest.raises(EngineError, match="too long") as caught:
        ask(server, replace(ASK, schema=SCHEMA))
    assert not isinstance(caught.value, EngineUnavailable)
