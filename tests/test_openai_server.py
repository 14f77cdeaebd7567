"""One attempt at a server that misbehaves: what is sent, what is read, and what a failure is called."""

import asyncio
import math
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
from misbehaving_server import CUT, DRIP, RESET, WEB_PAGE, Act, Server, fails, models, says, serving, tells

from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.openai.asking import chat_body
from tuneworks.factory.engines.openai.server import OpenAIServer
from tuneworks.factory.engines.pace.server import Attempt
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass
from tuneworks.factory.prices import Price
from tuneworks.factory.record import Message

KEY = "sk-very-secret-0123456789"
ASK = Request((Message("user", "Name a fish."),), max_tokens=20, temperature=0.5, seed=11)
PRICE = Price(1_000_000.0, 2_000_000.0)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def attempts(url: str, *requests: Request, timeout: float = 20.0, price: Price | None = None) -> list[Attempt]:
    async def all_at_once() -> list[Attempt]:
        (place,) = OpenAI(model="tiny", base_url=url, timeout=timeout).at()
        server = OpenAIServer(place, 64, price)
        try:
            return await asyncio.gather(*map(server.attempt, requests))
        finally:
            await server.close()

    return asyncio.run(all_at_once())


def ask(server: Server, request: Request = ASK, timeout: float = 20.0) -> Completion:
    return attempts(server.url, request, timeout=timeout)[0].reply


def failure(act: Act, request: Request = ASK, timeout: float = 20.0) -> EngineError:
    with serving([act]) as server, pytest.raises(EngineError) as caught:
        ask(server, request, timeout)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 450
    return caught.value


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
    assert server.paths == ["/v1/chat/completions"]


def test_openai_itself_is_asked_with_its_own_name_for_the_limit_and_without_its_defaults() -> None:
    (here,), (there,) = OpenAI(model="m", base_url="http://localhost:1/v1").at(), OpenAI(model="m").at()
    plain = Request(ASK.messages, max_tokens=20)
    own, theirs = chat_body(plain, here, False), chat_body(plain, there, False)
    assert (own["max_tokens"], own["temperature"], own["top_p"], own["presence_penalty"]) == (20, 1.0, 1.0, 0.0)
    assert theirs == {"model": "m", "messages": own["messages"], "max_completion_tokens": 20, "seed": 0}
    assert chat_body(ASK, there, False)["temperature"] == 0.5


@pytest.mark.parametrize(
    ("finish", "expected"), [("stop", "stop"), ("length", "length"), ("content_filter", "other"), ("??", "other")]
)
def test_why_the_reply_ended(finish: str, expected: str) -> None:
    with serving([says("A carp.", finish)]) as server:
        assert ask(server).finish == expected


def test_a_reply_without_text_is_empty() -> None:
    with serving([says(None)]) as server:
        assert ask(server).text == ""


def test_half_an_emoji_is_made_whole() -> None:
    with serving([says("A fish \ud83d")]) as server:
        assert ask(server).text == "A fish \ufffd"


def test_money_is_counted_by_the_price() -> None:
    with serving([says("A carp.")]) as server:
        assert attempts(server.url, ASK, price=PRICE)[0].reply.usage == Usage(7, 3, 13.0)


def test_a_dated_name_in_the_reply_is_no_other_model() -> None:
    told = says("A carp.").body.replace('"model": "tiny"', '"model": "tiny-2026-01-31"')
    with serving([Act(told)]) as server:
        assert ask(server).text == "A carp."


BUSY = {"429": fails(429), "503": fails(503), "529": fails(529), "429 within 200": tells({"error": {"code": 429}})}


@pytest.mark.parametrize("name", BUSY)
def test_a_busy_server(name: str) -> None:
    error = failure(BUSY[name])
    assert isinstance(error, MayPass) and error.busy and not error.down
    assert "is busy (HTTP" in str(error)


FAILING = {
    "500": (fails(500, "broken"), r"failed \(HTTP 500\): broken"),
    "502": (fails(502), r"failed \(HTTP 502\)"),
    "504": (Act("<html>\n<h1>504</h1>", 504, "text/html"), r"failed \(HTTP 504\): <html>"),
    "408": (fails(408), r"failed \(HTTP 408\)"),
    "long": (fails(500, "oh,\n" * 300), r"failed \(HTTP 500\): oh, .*[.][.][.]$"),
    "cut": (CUT, "cut its reply short"),
    "reset": (RESET, "broke the connection off"),
    "page": (WEB_PAGE, "something else than OpenAI's JSON: '<html> <body>Sign in"),
    "broken JSON": (Act('{"choices": ['), "something else than OpenAI's JSON"),
    "list": (Act("[]"), "something else than OpenAI's JSON"),
    "502 within 200": (tells({"error": {"code": 502, "message": "gone"}}), r"failed \(HTTP 502\): gone"),
}


@pytest.mark.parametrize("name", FAILING)
def test_an_attempt_that_failed_and_may_pass(name: str) -> None:
    act, words = FAILING[name]
    error = failure(act)
    assert isinstance(error, MayPass) and not error.busy and not error.down
    with pytest.raises(MayPass, match=words):
        raise error


DOWN = {
    "never": (says("late", seconds=0.6), 0.2, "did not answer in time (0.2 s)"),
    "drip": (DRIP, 0.3, "did not answer in time (0.3 s)"),
}


@pytest.mark.parametrize("name", DOWN)
def test_a_server_that_is_away(name: str) -> None:
    act, timeout, words = DOWN[name]
    error = failure(act, timeout=timeout)
    assert isinstance(error, MayPass) and error.down and words in str(error)


def test_no_server() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    with pytest.raises(MayPass, match=f"^no server answers at {url}$") as caught:
        attempts(url, ASK)
    assert caught.value.down


LASTING: dict[str, tuple[Act, type[EngineError], str]] = {
    "400": (fails(400, "context too long"), EngineError, r"could not answer \(HTTP 400\): context too long"),
    "422": (fails(422, "bad seed"), EngineError, r"could not answer \(HTTP 422\): bad seed"),
    "401": (fails(401), EngineUnavailable, "refused the key; put the right one in the environment variable OPENAI_API"),
    "403": (fails(403), EngineUnavailable, "refused the key"),
    "404": (fails(404, "model not found"), EngineUnavailable, "no model 'tiny' or no such path; correct model or base"),
    "501": (fails(501), EngineUnavailable, "no such path"),
    "no money": (fails(429, "You exceeded it", code="insufficient_quota"), EngineUnavailable, "has no money left; add"),
    "402": (fails(402, "Insufficient Balance"), EngineUnavailable, r"no money left.*\(Insufficient Balance\)"),
    "no choice": (tells({"id": "1", "choices": []}), EngineError, "holds no choice; it says"),
    "no setting": (
        fails(400, "'temperature' does not support 0.5", code="unsupported_value"),
        EngineUnavailable,
        "does not take what is asked",
    ),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_pass_is_of_the_right_kind(name: str) -> None:
    act, kind, words = LASTING[name]
    error = failure(act)
    assert isinstance(error, EngineUnavailable) == (kind is EngineUnavailable) and not isinstance(error, MayPass)
    with pytest.raises(kind, match=words):
        raise error


WAITS = {
    "milliseconds": ({"retry-after-ms": "250"}, 0.25),
    "seconds": ({"Retry-After": "3"}, 3.0),
    "reset": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("name", WAITS)
def test_how_long_a_busy_server_wants_to_be_left_alone(name: str) -> None:
    headers, seconds = WAITS[name]
    error = failure(fails(429, headers=headers))
    assert isinstance(error, MayPass) and error.wait == seconds


def test_a_reply_that_uses_up_the_limit_asks_for_a_pause() -> None:
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}
    with serving([replace(says("A carp."), headers=headers), says("An eel.")]) as server:
        first, second = (attempts(server.url, ASK)[0] for _ in range(2))
    assert (first.pause, second.pause) == (pytest.approx(0.12), 0.0)


REPEATS: dict[str, Callable[[str], Act]] = {
    "400": lambda key: fails(400, f"the header Authorization: Bearer {key} is not welcome"),
    "401": lambda key: fails(401, f"the key {key} is wrong"),
    "500 page": lambda key: Act(f"<pre>Authorization: Bearer {key}</pre>", 500, "text/html"),
    "page": lambda key: Act(f"<html>{key}</html>", kind="text/html"),
    "escaped": lambda key: Act(f"<html>{key.replace('&', '&amp;')}</html>", 502, "text/html"),
    "address": lambda key: fails(400, f"no such path /v1?key={key.replace('&', '%26').replace('/', '%2F')}"),
    "no choice": lambda key: tells({"key": key}),
}


@pytest.mark.parametrize("name", REPEATS)
def test_the_key_is_in_no_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-a&b/c-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with serving([REPEATS[name](key)]) as server, pytest.raises(EngineError) as caught:
        ask(server)
    assert server.keys == [f"Bearer {key}"]
    assert "0123456789" not in str(caught.value)


OPENED = Request((Message("system", "Be short."), Message("user", "List fish.")), opening="1. Carp\n2.")


def test_vllm_goes_on_with_an_opening() -> None:
    with serving(listing=models("tiny", owner="vllm")) as server:
        attempts(server.url, OPENED, OPENED)
        assert server.listed == 1
    for sent in server.asked:
        assert sent["messages"][-1] == {"role": "assistant", "content": "1. Carp\n2."}
        assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize("listing", [models("tiny"), fails(404), WEB_PAGE], ids=["others", "none", "page"])
def test_other_servers_are_shown_the_opening_in_the_question(listing: Act) -> None:
    with serving(listing=listing) as server:
        ask(server, OPENED)
    (sent,) = server.asked
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]
    assert sent["messages"][-1]["content"].startswith("List fish.")
    assert sent["messages"][-1]["content"].endswith("1. Carp\n2.")
    assert "continue_final_message" not in sent


def test_a_server_too_busy_to_say_what_it_is_is_asked_again_next_time() -> None:
    with serving(listing=fails(503)) as server, pytest.raises(MayPass, match="is busy"):
        ask(server, OPENED)
    assert server.asked == []


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


SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}}}'


def test_a_schema_is_sent_as_the_format_of_the_reply() -> None:
    with serving([says('{"a": "b"}')]) as server:
        assert ask(server, replace(ASK, schema=SCHEMA)).text == '{"a": "b"}'
    sent = server.asked[0]["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["schema"]["properties"] == {"a": {"type": "string"}}


def test_a_server_without_schemas_stops_the_run_with_the_option_to_set() -> None:
    refusal = failure(fails(400, "response_format json_schema is not supported"), replace(ASK, schema=SCHEMA))
    assert isinstance(refusal, EngineUnavailable) and "write structured: false" in str(refusal)
    too_long = failure(fails(400, "too long"), replace(ASK, schema=SCHEMA))
    assert type(too_long) is EngineError and "too long" in str(too_long)


def test_many_requests_at_once_go_through_many_connections() -> None:
    with serving(lambda number, path: says("fine", seconds=0.1)) as server:
        replies = attempts(server.url, *(replace(ASK, seed=seed) for seed in range(100)))
        assert len(replies) == len(server.asked) == 100
        assert server.busiest > 30


def test_a_proxy_that_the_surroundings_name_is_used_but_not_for_what_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert attempts("http://models.example.com/v1", ASK)[0].reply.text == "fine"
        assert attempts(proxy.url, ASK)[0].reply.text == "fine"
    assert proxy.paths == ["http://models.example.com/v1/chat/completions", "/v1/chat/completions"]
