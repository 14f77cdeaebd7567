"""Exact log-probabilities from a server that tokenises and echoes: what is asked, and how the numbers are summed."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from misbehaving_server import Act, Server, fails, models, says, serving, tells

from tuneworks.factory.engine import Completion, Loss, Request, Usage
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.openai.server import OpenAIServer
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Message

FISH = (Message("user", "Name a fish."),)
SIGN = [90, 91]
"""How the server's chat template says that a reply begins."""
LIKELY = -0.5
"""The log-probability of every token at this server."""


def tokens_of(body: dict[str, Any]) -> list[int]:
    if "prompt" in body:
        return [ord(letter) for letter in body["prompt"]]
    turns = [n for n, m in enumerate(body["messages"], 1) for _ in m["content"].split()]
    return turns + (SIGN if body["add_generation_prompt"] else [])


def echoed(body: dict[str, Any]) -> Act:
    told = [None, *[LIKELY] * (len(body["prompt"]) - 1)]
    usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 1}
    return tells({"choices": [{"text": "", "logprobs": {"token_logprobs": told}}], "usage": usage})


def listed(body: dict[str, Any]) -> Act:
    top = {f"token_id:{token}": -float(token) for token in body["logprob_token_ids"]}
    usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 1}
    return tells({"choices": [{"text": "x", "logprobs": {"top_logprobs": [top]}}], "usage": usage})


def scored(server: Server, *requests: Request) -> list[Completion]:
    async def all_at_once() -> list[Completion]:
        (place,) = OpenAI(model="tiny", base_url=server.url).at()
        asked = OpenAIServer(place, 8, None)
        try:
            return [(await asked.attempt(request)).reply for request in requests]
        finally:
            await asked.close()

    return asyncio.run(all_at_once())


def plays(server: Server, completions: Callable[[dict[str, Any]], Act] = echoed, chat: Act | None = None) -> None:
    def rule(number: int, path: str) -> Act:
        body = server.asked[number]
        if path == "/tokenize":
            return tells({"tokens": tokens_of(body)})
        return completions(body) if path == "/v1/completions" else chat or fails(404)

    server.rule = rule


def test_the_loss_is_summed_over_the_given_tokens_alone() -> None:
    with serving() as server:
        plays(server)
        (reply,) = scored(server, Request(FISH, given="eel"))
        (asked,) = (body for body, path in zip(server.asked, server.paths, strict=True) if path == "/v1/completions")
    assert reply == Completion("", "stop", Usage(8, 1), loss=Loss(1.5, 3))
    assert asked["prompt"] == [1, 1, 1, *SIGN, *map(ord, "eel")]
    assert (asked["echo"], asked["max_tokens"]) == (True, 0)


def test_without_messages_only_the_sign_is_read_and_it_is_asked_once() -> None:
    with serving() as server:
        plays(server)
        replies = scored(server, Request((), given="eel"), Request((), given="carp"))
        prompts = [body["prompt"] for body in server.asked if isinstance(body.get("prompt"), list)]
        about_sign = [body for body in server.asked if "messages" in body]
    assert [reply.loss for reply in replies] == [Loss(1.5, 3), Loss(2.0, 4)]
    assert prompts == [[*SIGN, *map(ord, "eel")], [*SIGN, *map(ord, "carp")]]
    assert len(about_sign) == 2


@pytest.mark.parametrize(
    "answer",
    [
        fails(404),
        tells({"choices": [{"text": "", "logprobs": None}]}),
        tells({"choices": [{"logprobs": {"token_logprobs": [None, -1.0]}}]}),
        tells({"choices": [{"logprobs": {"token_logprobs": [None, *["x"] * 7]}}]}),
    ],
    ids=["no path", "no numbers", "too few", "no floats"],
)
def test_a_server_that_cannot_score_stops_the_run_with_what_can(answer: Act) -> None:
    with (
        serving() as server,
        pytest.raises(EngineUnavailable, match=r"cannot say how likely.*serve the model"),
    ):
        plays(server, lambda body: answer)
        scored(server, Request(FISH, given="eel"))


def test_a_server_without_a_tokenizer() -> None:
    with serving([fails(404)]) as server, pytest.raises(EngineUnavailable, match="cannot say how likely"):
        scored(server, Request(FISH, given="eel"))


def test_a_text_that_is_too_long_is_set_aside_alone() -> None:
    with serving() as server, pytest.raises(EngineError, match="too many tokens") as caught:
        plays(server, lambda body: fails(400, "too many tokens"))
        scored(server, Request(FISH, given="eel"))
    assert not isinstance(caught.value, EngineUnavailable)


FIRST = {"c": math.log(0.5)}


def test_candidates_that_the_list_leaves_out_are_asked_exactly_at_vllm() -> None:
    request = Request(FISH, opening="A ", candidates=("c", "d", "e1", "e2"))
    with serving(listing=models("tiny", owner="vllm")) as server:
        plays(server, listed, says("c", log_probs=FIRST))
        (reply,) = scored(server, request)
        (asked,) = (body for body, path in zip(server.asked, server.paths, strict=True) if path == "/v1/completions")
    # "e1" and "e2" begin with the same token, which stands for neither.
    assert reply.log_probs == pytest.approx({"c": math.log(0.5), "d": -float(ord("d"))})
    assert sorted(asked["logprob_token_ids"]) == [ord("c"), ord("d")] and asked["logprobs"] == 2
    assert reply.usage == Usage(7 + len(asked["prompt"]), 3 + 1)


def test_a_server_that_does_not_let_them_be_asked_gives_what_its_list_holds() -> None:
    with serving(listing=models("tiny", owner="vllm")) as server:
        plays(server, lambda body: fails(400, "no logprob_token_ids"), says("c", log_probs=FIRST))
        (reply,) = scored(server, Request(FISH, candidates=("c", "d")))
    assert reply.log_probs == pytest.approx(FIRST) and reply.usage == Usage(7, 3)


def test_other_servers_are_not_asked_for_more_than_their_list() -> None:
    with serving(listing=models("tiny")) as server:
        plays(server, listed, says("c", log_probs=FIRST))
        (reply,) = scored(server, Request(FISH, candidates=("c", "d")))
        assert server.paths == ["/v1/chat/completions"]
    assert reply.log_probs == pytest.approx(FIRST)
