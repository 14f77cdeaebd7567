"""What the Hub's client raises, as sentences."""

import errno
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi, errors

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.hub.client import HubBusy, client, in_sentences

THEN = "repeat it"
LOGIN = "run `hf auth login`, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_tester")


def answered(status: int, kind: type[errors.HfHubHTTPError] = errors.HfHubHTTPError, **headers: str) -> Exception:
    asked = httpx2.Request("POST", "http://hub/api/datasets/a/b")
    response = httpx2.Response(
        status, headers={name.replace("_", "-"): v for name, v in headers.items()}, request=asked
    )
    return kind("long words of the client", response=response, server_message="no")


def sentence(raised: Exception) -> InputError:
    with pytest.raises(InputError) as told, in_sentences(HfApi(endpoint="http://hub"), "a/b", "the push to a/b", THEN):
        raise raised
    assert told.value.__cause__ is raised
    return told.value


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (answered(401), f"the Hub does not accept the token (no); {LOGIN}"),
        (
            answered(404, errors.RepositoryNotFoundError),
            "the dataset a/b does not exist on the Hub or needs a login; correct the name, or log in as someone who "
            "may see it",
        ),
        (
            answered(403, errors.GatedRepoError),
            f"the dataset a/b is gated; ask for access on its page on the Hub, then {LOGIN}",
        ),
        (
            answered(404, errors.RevisionNotFoundError),
            "the dataset a/b has no such revision; name a branch, tag or commit that it has",
        ),
        (
            answered(403),
            f"the Hub does not permit the push to a/b (no); name a repo of yours, or {LOGIN} that may write there",
        ),
        (
            answered(412),
            "the push to a/b was refused, for somebody else changed the repo meanwhile (no); look at it, then push "
            "again",
        ),
        (
            answered(409),
            "the push to a/b was refused, for somebody else changed the repo meanwhile (no); look at it, then push "
            "again",
        ),
        (answered(413), "the Hub refuses the push to a/b with status 413 (no); correct that and repeat"),
        (
            answered(500),
            "the Hub answers 500 (no), so the push to a/b stopped; repeat it",
        ),
        (
            httpx2.ReadError("reset"),
            "the push to a/b broke off (reset); repeat it",
        ),
        (
            httpx2.ConnectError("no route"),
            "the Hub at http://hub cannot be reached (no route); see to the network or HF_ENDPOINT and repeat",
        ),
        (
            errors.OfflineModeIsEnabled("offline"),
            "the push to a/b needs the network, and HF_HUB_OFFLINE is set; unset it and repeat",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "the push to a/b failed, for the disk is full ([Errno 28] No space left on device); make room and repeat",
        ),
        (
            RuntimeError("CAS went away"),
            "the push to a/b failed (CAS went away); repeat it",
        ),
        (
            errors.HFValidationError("no"),
            "'a/b' is no name of a dataset on the Hub; write owner/name, of letters, digits, '-', '_' and '.'",
        ),
    ],
)
def test_every_failure_is_one_sentence(raised: Exception, told: str) -> None:
    assert str(sentence(raised)) == told


def test_without_a_login_a_missing_repo_may_be_a_private_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    for raised in (answered(401), answered(401, errors.RepositoryNotFoundError)):
        assert str(sentence(raised)) == (
            f"the dataset a/b does not exist on the Hub or needs a login; correct it, or {LOGIN}"
        )


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"ratelimit": '"api";r=0;t=55', "retry_after": "3"}, 55),
        ({"ratelimit": '"api";r=7;t=55'}, None),
        ({"retry_after": "3"}, 3),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_how_long_the_hub_asks_to_wait(headers: dict[str, str], wait: float | None) -> None:
    busy = sentence(answered(429, **headers))
    assert isinstance(busy, HubBusy) and busy.wait == wait


def test_the_reason_of_an_upload_that_failed_is_found_below_it() -> None:
    try:
        try:
            raise answered(403)
        except errors.HfHubHTTPError as error:
            raise RuntimeError("Error while uploading 'x' to the Hub.") from error
    except RuntimeError as error:
        assert "does not permit" in str(sentence(error))


def test_a_mistake_of_our_own_stays_one() -> None:
    with pytest.raises(KeyError), in_sentences(client(), "a/b", "the push", THEN):
        raise KeyError("x")


def test_our_own_sentences_pass() -> None:
    with pytest.raises(InputError, match=r"^mine$"), in_sentences(client(), "a/b", "the push", THEN):
        raise InputError("mine")
