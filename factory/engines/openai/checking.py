"""Before a run begins: whether the servers answer, take the key and serve the model."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import httpx2
import openai

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.openai.asking import chat_body
from tuneworks.factory.engines.openai.connection import Told, read
from tuneworks.factory.engines.openai.failures import NotServed, explained, unavailable
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass
from tuneworks.factory.record import Message

SECONDS = 20.0
"""For an answer to what every server knows at once."""


ONE_TOKEN = Request((Message("user", "."),), max_tokens=1)


def check_all(places: Sequence[Place]) -> None:
    """Raise EngineUnavailable for a wrong key or model at any server, or if no server answers. One that does not answer
    while another does is left to whoever keeps the pace."""
    failures = [failure for place in places if (failure := _failure(place)) is not None]
    lasting = [failure for failure in failures if not isinstance(failure[1], MayPass)]
    if lasting or len(failures) == len(places):
        place, error = (lasting or failures)[0]
        raise unavailable(error, place) from error


def _failure(place: Place) -> tuple[Place, EngineError] | None:
    try:
        _check(place)
    except EngineError as error:
        return place, error
    return None


def _check(place: Place) -> None:
    client = openai.OpenAI(base_url=place.url, api_key=place.key.text, max_retries=1, timeout=SECONDS)
    with closing(client):
        try:
            told = _read(place, lambda: client.get("/models", cast_to=httpx2.Response))
        except NotServed:  # a server that does not list its models: one token decides
            body = chat_body(ONE_TOKEN, place, continues=False)
            _read(place, lambda: client.post("/chat/completions", cast_to=httpx2.Response, body=body))
        else:
            _require_listed(told.body, place)


def _read(place: Place, send: Callable[[], httpx2.Response]) -> Told:
    try:
        return read(send(), place)
    except (openai.OpenAIError, httpx2.HTTPError) as error:
        raise explained(error, place) from error


def _require_listed(told: Mapping[str, Any], place: Place) -> None:
    """Servers that call a model by more than one name list one of them: Ollama `NAME:latest`, others `models/NAME`."""
    listed = told.get("data")
    served = [str(m["id"]) for m in listed if isinstance(m, Mapping) and "id" in m] if isinstance(listed, list) else []
    known = any(name in (place.model, f"{place.model}:latest") or name.endswith(f"/{place.model}") for name in served)
    if served and not known:
        some = ", ".join(sorted(served)[:5])
        raise EngineUnavailable(f"the server at {place.url} has no model {place.model!r}; it serves {some}")
