"""Before a run begins: what is wrong with the servers is said at once, and nothing is asked of a model."""

import socket

import pytest
from misbehaving_server import RESET, WEB_PAGE, Act, fails, models, serving, tells

from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import EngineUnavailable

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def check(*urls: str, model: str = "tiny") -> None:
    OpenAI(model=model, base_url=urls if len(urls) > 1 else urls[0]).check()


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def test_a_server_that_serves_the_model() -> None:
    with serving() as server:
        check(server.url)
        assert server.asked == []


def test_a_wrong_model_is_named_with_those_served() -> None:
    with serving(listing=models("big", "middle")) as server:
        with pytest.raises(EngineUnavailable, match="has no model 'tiny'; it serves big, middle") as caught:
            check(server.url)
        assert server.url in str(caught.value)
        assert server.asked == []


@pytest.mark.parametrize("listed", ["tiny:latest", "models/tiny"])
def test_a_model_may_be_listed_under_its_longer_name(listed: str) -> None:
    with serving(listing=models(listed)) as server:
        check(server.url)


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        pytest.param(fails(401, f"not {KEY}"), "refused the key; put the right one in", id="401"),
        pytest.param(fails(400, f"not {KEY}"), "could not answer", id="400"),
        pytest.param(fails(503), "is busy .HTTP 503.: no; build again later", id="503"),
        pytest.param(fails(500), "failed .HTTP 500.: no; build again later", id="500"),
        pytest.param(RESET, "broke the connection off; build again later", id="reset"),
        pytest.param(WEB_PAGE, "does not speak OpenAI's interface; correct base_url", id="page"),
        pytest.param(Act("<html>"), "does not speak OpenAI's interface", id="broken JSON"),
        pytest.param(tells([1]), "does not speak OpenAI's interface", id="list"),
    ],
)
def test_what_is_wrong_with_the_server(listing: Act, words: str) -> None:
    with serving(listing=listing) as server, pytest.raises(EngineUnavailable, match=words) as caught:
        check(server.url)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_lists_no_models_is_asked_for_one_token(status: int) -> None:
    with serving(listing=fails(status)) as server:
        check(server.url)
        (asked,) = server.asked
    assert (asked["model"], asked["max_tokens"]) == ("tiny", 1)
    with (
        serving([fails(404)], listing=fails(status)) as server,
        pytest.raises(EngineUnavailable, match="correct model"),
    ):
        check(server.url)


def test_no_server() -> None:
    with pytest.raises(EngineUnavailable, match=r"no server answers at http.*; start it or correct base_url"):
        check(free_url())


def test_a_dead_server_among_several_is_left_to_the_pace() -> None:
    with serving() as server:
        check(free_url(), server.url, free_url())
    with pytest.raises(EngineUnavailable, match="no server answers"):
        check(free_url(), free_url())


@pytest.mark.parametrize(
    ("listing", "words"), [(fails(401), "refused the key"), (models("big"), "has no model 'tiny'")]
)
def test_a_wrong_key_or_model_at_one_of_several_is_told(listing: Act, words: str) -> None:
    with serving() as one, serving(listing=listing) as two, pytest.raises(EngineUnavailable, match=words) as caught:
        check(one.url, two.url, free_url())
    assert two.url in str(caught.value)
