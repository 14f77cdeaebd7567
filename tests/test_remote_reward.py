"""A reward server on the loopback address: what is sent, what is read, and what goes wrong."""

import asyncio
import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Literal

import pytest
from http_serving import Unlogged, http_serving
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import REWARD, Answer, Message, Record
from tuneworks.factory.reward import Scores
from tuneworks.factory.rewards.remote import Remote, number_in

FISH = Record.born([Message("system", "Be brief."), Message("user", "Name a fish.")])
KEY = "key-7f3a"
SOON = {"retry-after-ms": "1"}


@dataclass(frozen=True)
class Reply:
    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: SOON)


@dataclass
class Server:
    """Says `replies` in order, and the last of them from then on."""

    replies: Sequence[Reply]
    url: str = ""
    asked: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    """Path, body and authorization of each request."""


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    server = Server(replies)
    lock = threading.Lock()

    class Handler(Unlogged, BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name http.server calls
            self.say(
                Reply({"object": "list", "data": [{"id": "rm", "object": "model", "created": 1, "owned_by": "v"}]})
            )

        def do_POST(self) -> None:  # the name http.server calls
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                reply = server.replies[min(len(server.asked), len(server.replies) - 1)]
                server.asked.append((self.path, body, self.headers.get("authorization", "")))
            self.say(reply)

        def say(self, reply: Reply) -> None:
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            kind = "text/html" if isinstance(reply.body, str) else "application/json"
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-type": kind, "content-length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

    with http_serving(Handler) as server.url:
        yield server


def says(score: object) -> Reply:
    return Reply({"data": [{"index": 0, "score": score}]})


def remote(url: str, speaks: Literal["chat", "pair"] = "chat", patience: float = 0.4) -> Remote:
    return Remote(model="rm", base_url=url, speaks=speaks, timeout=5, patience=patience)


def scores(reward: Remote, *texts: str, journal: Path | None = None) -> list[Scores]:
    async def scored() -> list[Scores]:
        held = Journal(journal) if journal else None
        engine: Engine = Journaled(Scripted(lambda _: ""), held) if held else Closing()
        try:
            return await reward.scores(FISH, [Answer(t) for t in texts], engine)
        finally:
            await engine.close()
            if held:
                held.close()

    return asyncio.run(scored())


class Closing(Scripted):
    """Closes what is opened beside it, as the journal does."""

    def __init__(self) -> None:
        super().__init__(lambda _: "")
        self._others: list[Engine] = []

    def beside(self, other: Engine) -> Engine:
        self._others.append(other)
        return super().beside(other)

    async def close(self) -> None:
        for other in self._others:
            await other.close()


def fails(status: int, message: str = "no") -> Reply:
    return Reply({"error": {"message": message, "type": "error"}}, status)


def test_a_pair_is_sent_to_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEY", KEY)
    with serving(says(0.75)) as server:
        reward = remote(server.url, "pair")
        reward.check()
        assert scores(reward, "eel") == [{REWARD: 0.75}]
    ((path, body, key),) = server.asked
    assert (path, key) == ("/score", f"Bearer {KEY}")
    assert body == {"model": "rm", "use_activation": False, "text_1": "Be brief.\n\nName a fish.", "text_2": "eel"}


def test_a_conversation_is_sent_to_pooling() -> None:
    with serving(Reply({"data": [{"index": 0, "data": [-3.5]}]})) as server:
        assert scores(remote(server.url), "eel") == [{REWARD: -3.5}]
    ((path, body, _),) = server.asked
    assert path == "/pooling"
    assert [(m["role"], m["content"]) for m in body["messages"]] == [
        *(("system", "Be brief."), ("user", "Name a fish."), ("assistant", "eel"))
    ]
    assert body["add_generation_prompt"] is False and body["use_activation"] is False


def test_what_may_pass_is_tried_again() -> None:
    with serving(fails(429), fails(503), fails(500), says(1)) as server:
        assert scores(remote(server.url), "eel") == [{REWARD: 1.0}]
    assert len(server.asked) == 4


def test_an_answer_the_server_refuses_is_set_aside_alone() -> None:
    with serving(fails(400, "this is longer than 512 tokens"), says(2.0)) as server:
        found = scores(remote(server.url), "eel", "carp")
    (bad,) = (s for s in found if isinstance(s, EngineError))
    assert "longer than 512 tokens" in str(bad)
    assert {REWARD: 2.0} in found


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (fails(401), "refused the key; put the right one in the environment variable REWARD_API_KEY"),
        (fails(404), "has no model 'rm' or no such path; correct model or base_url"),
        (fails(501), "does not serve rm under /pooling; write speaks: pair, or serve it as a reward model"),
        (fails(429), r"is busy \(HTTP 429\).*build again"),
        (fails(503), r"is busy \(HTTP 503\).*build again"),
        (Reply("<html>Sign in</html>"), "something else than OpenAI's JSON.*build again"),
        (Reply([1, 2]), "something else than OpenAI's JSON.*build again"),
    ],
)
def test_what_no_request_can_get_past_stops_the_run(reply: Reply, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEY", KEY)
    with serving(reply) as server, pytest.raises(EngineUnavailable, match=words) as caught:
        scores(remote(server.url), "eel")
    assert KEY not in str(caught.value)


def test_a_server_that_repeats_the_key_does_not_get_it_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEY", KEY)
    with serving(fails(400, f"bad request with {KEY}")) as server:
        (found,) = scores(remote(server.url), "eel")
    assert isinstance(found, EngineError)
    assert "bad request" in str(found) and KEY not in str(found)


def test_a_wrong_address_and_a_wrong_model() -> None:
    gone = remote("http://127.0.0.1:9/v1")
    with pytest.raises(
        EngineUnavailable, match=r"no server answers at http://127.0.0.1:9/v1; start it or correct base_url"
    ):
        gone.check()
    with pytest.raises(EngineUnavailable, match="no server answers"):
        scores(gone, "eel")
    with serving(says(1)) as server, pytest.raises(EngineUnavailable, match="has no model 'mr'; it serves rm"):
        Remote(model="mr", base_url=server.url).check()


def test_scores_are_kept_in_the_journal(tmp_path: Path) -> None:
    with serving(says(0.1), says(0.2)) as server:
        first = scores(remote(server.url), "eel", "carp", journal=tmp_path / "j.sqlite")
        again = scores(remote(server.url), "eel", "carp", journal=tmp_path / "j.sqlite")
        other = scores(remote(server.url, "pair"), "eel", journal=tmp_path / "j.sqlite")
    assert sorted(s[REWARD] for s in first if not isinstance(s, EngineError)) == [0.1, 0.2]
    assert again == first and other == [{REWARD: 0.2}]
    assert len(server.asked) == 3


def test_the_servers_place_and_way_decide_and_its_pace_does_not() -> None:
    assert remote("http://a/v1", patience=1).decides() == remote("http://a/v1", patience=2).decides()
    assert remote("http://a/v1").decides() != remote("http://a/v1", "pair").decides()
    assert remote("http://a/v1").decides() != remote("http://b/v1").decides()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"data": [{"data": [0.2, 0.8]}]}, "gave 2 numbers; serve a reward model, which has one output"),
        ({"data": []}, "holds no score; it says {'data': \\[\\]}"),
        ({"data": [{"score": None}]}, "holds no score"),
        ({"data": [{"score": True}]}, "holds no score"),
        ({"data": [{"score": 10**400}]}, "holds no score"),
        ({"data": [{"score": math.nan}]}, "holds no score"),
        ({"data": [{"score": 1.0}, {"score": 2.0}]}, "holds no score"),
        ({"detail": "busy"}, "holds no score; it says {'detail': 'busy'}"),
    ],
)
def test_replies_without_a_number(body: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        number_in(body)


leaf = st.sampled_from([None, True, "", "1.5", 0, 10**400, 2.5, float("nan"), float("-inf")])
held = st.lists(leaf | st.lists(leaf, max_size=2), max_size=2)
entry = leaf | held | st.dictionaries(st.sampled_from(["data", "score", "x"]), leaf | held, max_size=3)


@given(st.lists(entry, max_size=2) | entry)
def test_no_reply_is_more_than_a_number_or_an_error(data: object) -> None:
    try:
        found = number_in({"data": data})
    except EngineError:
        return
    assert type(found) is float and found - found == 0


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 3))
def test_numbers_come_back_as_they_are(value: float, depth: int) -> None:
    held: Any = value
    for _ in range(depth):
        held = [held]
    assert number_in({"data": [{"data": held}]}) == value == number_in({"data": [{"score": value}]})
