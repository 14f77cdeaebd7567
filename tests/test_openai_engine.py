"""The engine openai as a recipe names it: its options, and what comes of one or several servers behind it."""

import asyncio
import json
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from asked import asked
from misbehaving_server import CUT, DRIP, RESET, WEB_PAGE, Act, Server, fails, says, serving, tells
from pydantic import ValidationError

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import EngineError, EngineUnavailable, RecipeError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.prices import Price
from tuneworks.factory.record import Message

KEY = "sk-very-secret-0123456789"
ASK = Request((Message("user", "Name a fish."),), max_tokens=20, temperature=0.5, seed=11)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def options(*servers: Server, timeout: float = 20.0, in_flight: int = 64, patience: float = 60.0) -> OpenAI:
    urls = tuple(server.url for server in servers)
    return OpenAI(
        model="tiny",
        base_url=urls if len(urls) > 1 else urls[0],
        timeout=timeout,
        in_flight=in_flight,
        patience=patience,
    )


def ask(chosen: OpenAI, request: Request = ASK) -> Completion:
    (found,) = asked(chosen, [request])
    if isinstance(found, BaseException):
        raise found
    return found


def numbered(count: int) -> list[Request]:
    return [replace(ASK, seed=seed) for seed in range(count)]


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


PASSING = {
    **{"429": fails(429), "429 Retry-After": fails(429, headers={"Retry-After": "0.02"}), "503": fails(503)},
    **{"429 without": fails(429, headers={}), "500": fails(500), "cut": CUT, "reset": RESET, "page": WEB_PAGE},
    **{"drip": DRIP, "busy within 200": tells({"error": {"code": 429, "message": "busy"}})},
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again(name: str) -> None:
    with serving([PASSING[name], says("A carp.")]) as server:
        assert ask(options(server, timeout=1.0)).text == "A carp."
        assert len(server.asked) == 2
        assert server.asked[0] == server.asked[1]


@pytest.mark.parametrize("act", [fails(401), fails(404), fails(429, code="insufficient_quota")])
def test_what_no_request_can_get_past_stops_all_at_once(act: Act) -> None:
    with serving([act]) as server:
        found = asked(options(server), numbered(200))
    assert all(isinstance(f, EngineUnavailable) for f in found)
    assert len(server.asked) < 100


def test_a_request_that_cannot_be_answered_is_set_aside_alone() -> None:
    def rule(number: int, path: str) -> Act:
        return fails(400, "context too long") if number == 3 else says("A carp.")

    with serving(rule) as server:
        found = asked(options(server), numbered(20))
    assert sum(isinstance(f, Completion) for f in found) == 19
    (lost,) = (f for f in found if isinstance(f, BaseException))
    assert isinstance(lost, EngineError) and not isinstance(lost, EngineUnavailable)


def test_a_server_that_fails_three_times_in_ten_loses_nothing() -> None:
    acts = (fails(500), RESET, CUT)
    with serving(lambda number, path: acts[number % 3] if number * 7 % 10 < 3 else says("A carp.")) as server:
        found = asked(options(server), numbered(150))
    assert all(isinstance(f, Completion) for f in found)


def test_a_server_that_dies_and_comes_back_at_its_address() -> None:
    with serving([says("A carp.", seconds=0.02)]) as server:
        threading.Timer(0.15, server.die).start()
        threading.Timer(0.6, server.live).start()
        found = asked(options(server, in_flight=8), numbered(120))
    assert all(isinstance(f, Completion) for f in found)


def test_when_nothing_answers_for_long_the_run_stops_in_one_sentence() -> None:
    url = free_url()
    with pytest.raises(EngineUnavailable, match=f"no server answers at {url}") as caught:
        ask(OpenAI(model="tiny", base_url=url, patience=0.3))
    assert "\n" not in str(caught.value) and "build again" in str(caught.value)


def test_several_servers_share_the_work_and_a_dead_one_is_left_out() -> None:
    dead = free_url()
    with serving([says("A carp.", seconds=0.02)]) as one, serving([says("A carp.", seconds=0.02)]) as two:
        chosen = OpenAI(model="tiny", base_url=(one.url, dead, two.url), patience=30)
        found = asked(chosen, numbered(120))
        shares = (len(one.asked), len(two.asked))
    assert all(isinstance(f, Completion) for f in found)
    assert min(shares) >= 20 and sum(shares) == 120


def test_no_more_requests_under_way_than_allowed() -> None:
    with serving([says("fine", seconds=0.05)]) as server:
        asked(options(server, in_flight=3), numbered(12))
        assert len(server.asked) == 12
        assert 2 <= server.busiest <= 3


def test_requests_per_minute_are_kept() -> None:
    with serving() as server:
        began = time.monotonic()
        found = asked(OpenAI(model="tiny", base_url=server.url, requests_per_minute=600), numbered(16))
        assert all(isinstance(f, Completion) for f in found)
        assert time.monotonic() - began > 0.3  # 10 a second, and a second ahead


@pytest.mark.parametrize("act", [fails(400, f"the key {KEY} is not welcome"), says(f"My key is {KEY}.")])
def test_the_key_is_written_nowhere(act: Act, tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()

    async def asked(server: Server) -> str:
        journal = Journal(tmp_path / "j" / "journal.sqlite")
        engine = Journaled(options(server).open(), journal)
        (found,) = await asyncio.gather(engine.complete(ASK), return_exceptions=True)
        await engine.close()
        journal.close()
        return f"{found} {engine!r} {engine.name} {options(server)!r} {options(server).written()}"

    with serving([act]) as server:
        shown = asyncio.run(asked(server))
        assert server.keys[0] == f"Bearer {KEY}"
    assert "[the key]" in shown and KEY not in shown
    assert all(KEY.encode() not in path.read_bytes() for path in (tmp_path / "j").iterdir())


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


def test_the_key_is_known_by_the_name_it_is_given_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTHER_KEY", "another")
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    with serving() as server:
        ask(OpenAI(model="tiny", base_url=server.url, api_key_env="OTHER_KEY"))
        ask(OpenAI(model="tiny", base_url=server.url, api_key_env="OTHER_KEY", api_key_file=str(file)))
        assert server.keys == ["Bearer another", "Bearer from-a-file"]
    with pytest.raises(EngineUnavailable, match="cannot be read"):
        OpenAI(model="tiny", base_url=server.url, api_key_file=str(tmp_path / "none")).check()


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving() as server:
        assert ask(options(server)).text == "fine"
    with pytest.raises(EngineUnavailable, match="put it in the environment variable OPENAI_API_KEY"):
        OpenAI(model="gpt").check()


def test_what_the_journal_calls_it() -> None:
    one, two = "http://localhost:1/v1", "http://localhost:2/v1/"
    assert OpenAI(model="m").name == "openai:m@https://api.openai.com/v1"
    assert OpenAI(model="m", base_url=two).name == f"openai:m@{two}"
    assert OpenAI(model="m", base_url=(two, one)).name == OpenAI(model="m", base_url=(one, two)).name
    assert OpenAI(model="m", base_url=(two, one)).name == f"openai:m@{one},{two}"
    assert OpenAI(model="m", base_url=(one, two), called="pool").name == "openai:m@pool"
    assert OpenAI(model="m", base_url=one).open().name == f"openai:m@{one}"


def test_pace_and_price_decide_no_reply_and_the_rest_does() -> None:
    plain = OpenAI(model="m", base_url="http://localhost:1/v1")
    pace = {"in_flight": 3, "requests_per_minute": 10, "tokens_per_minute": 99, "timeout": 5, "patience": 7}
    same = OpenAI(model="m", base_url="http://localhost:1/v1", api_key_env="K", prices="p.yaml", **pace)
    assert same.decides() == plain.decides() and same.written() != plain.written()
    moved = plain.model_copy(update={"base_url": "http://localhost:2/v1"})
    assert moved.decides() != plain.decides()
    assert moved.model_copy(update={"called": "a"}).decides() == plain.model_copy(update={"called": "a"}).decides()
    assert plain.model_copy(update={"structured": False}).decides() != plain.decides()


def test_options_become_a_spec_and_again_options() -> None:
    made = OpenAI(model="tiny", base_url=("http://localhost:1/v1", "http://localhost:2/v1"), in_flight=2)
    assert OpenAI.model_validate(json.loads(json.dumps(made.written()))["openai"]) == made


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("localhost:8000/v1", "is no address of a server; write it like http"),
        ("ftp://localhost/v1", "is no address"),
        ("http://", "is no address"),
        ("http://localhost:99999/v1", "is no address"),
        ("http://me:sk-123@localhost/v1", "holds a password or a key"),
        ("http://localhost/v1?api-key=sk-123", "holds a password or a key"),
        (["http://localhost/v1", "https://x/v1?sig=sk-123"], "holds a password or a key"),
        ([], "names no server"),
    ],
)
def test_an_address_that_cannot_be_or_must_not_be_written_down(base_url: str | list[str], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OpenAI.model_validate({"model": "m", "base_url": base_url})
    (told,) = [str(e["msg"]) for e in caught.value.errors() if e["type"] == "value_error"]
    assert words in told and "sk-123" not in told


def test_what_a_model_costs(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("models: {m: {prompt: 1000000, completion: 2000000}}")
    here = OpenAI(model="m", base_url="http://localhost:1/v1")
    assert here.price() == Price(0, 0)
    here.require_price()
    assert here.model_copy(update={"prices": str(file)}).price() == Price(1_000_000, 2_000_000)
    assert OpenAI(model="gpt-4o-mini").price() == Price(0.15, 0.6)
    for unknown in (
        OpenAI(model="m"),
        OpenAI(model="m", base_url=("http://localhost:1/v1", "https://a.example.com/v1")),
    ):
        with pytest.raises(RecipeError, match=r"price of m at .* is not known.*write it into .*prices.yaml: models:"):
            unknown.require_price()
    with serving() as server:
        assert ask(OpenAI(model="m", base_url=server.url, prices=str(file))).usage.usd == 13.0
