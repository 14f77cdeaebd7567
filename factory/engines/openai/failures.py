"""What the client raises and what servers send, in our words: what may pass, what sets one record aside, and what stops
the run."""

import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import openai

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.engines.openai.waits import asked_wait
from tuneworks.factory.errors import EngineError, EngineUnavailable, MayPass
from tuneworks.factory.quoting import LONGEST_QUOTE, one_line

UNSUPPORTED_CODES = ("unsupported_value", "unsupported_parameter")
"""OpenAI's, of settings that a model takes from nobody."""

BUSY = (429, 503, 529)
PASSING = (408, 409, 425)
KEY_REFUSED = (401, 403)
NOT_SERVED = (404, 405, 501)
NO_MONEY = (402,)
NO_MONEY_CODES = ("insufficient_quota", "insufficient_balance", "billing_hard_limit_reached")


class Foreign(MayPass):
    """What answered did not speak OpenAI's interface: a proxy's hiccup or, when a run begins, the wrong address."""


class NotServed(EngineUnavailable):
    """The server has no such model, or does not know this way of asking it."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def foreign(place: Place, said: bytes) -> Foreign:
    quoted = one_line(said[:LONGEST_QUOTE].decode("utf-8", "replace"))
    return Foreign(f"what answers at {place.url} sent something else than OpenAI's JSON: {quoted[:80]!r}")


def explained(error: Exception, place: Place) -> EngineError:
    """The client's error in our words."""
    if isinstance(error, openai.APIStatusError):
        return refused(error.status_code, place.key.out_of(error.response.content), error.response.headers, place)
    causes = list(_causes(error))
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        if any(isinstance(cause, httpx2.ConnectTimeout) for cause in causes):
            return MayPass(f"no server answers at {place.url}", down=True)
        return MayPass(f"the server at {place.url} did not answer in time ({place.timeout:g} s)", down=True)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return EngineUnavailable(
            f"the certificate of the server at {place.url} is not trusted; correct base_url, or name your own "
            "authority's file in the environment variable SSL_CERT_FILE"
        )
    if any(isinstance(cause, httpx2.ConnectError) for cause in causes):
        return MayPass(f"no server answers at {place.url}", down=True)
    if any("complete message body" in str(cause) for cause in causes):
        return MayPass(f"the server at {place.url} cut its reply short")
    if isinstance(error, openai.APIConnectionError):
        return MayPass(f"the server at {place.url} broke the connection off")
    return EngineError(f"the server at {place.url} could not be asked ({type(error).__name__})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refused(status: int, body: bytes, headers: Mapping[str, str], place: Place) -> EngineError:
    """An answer that is an error, by its HTTP status; the key is out of its body already."""
    said, code = _words(body)
    said, where = one_line(said), f"the server at {place.url}"
    if status in NO_MONEY or (status in (*BUSY, *KEY_REFUSED) and code in NO_MONEY_CODES):
        return EngineUnavailable(f"the account at {place.url} has no money left; add some, then build again ({said})")
    if status in KEY_REFUSED:
        return EngineUnavailable(f"{where} refused the key; put the right one in {place.key.kept_in}")
    if status in NOT_SERVED:
        return NotServed(f"{where} has no model {place.model!r} or no such path; correct model or base_url", status)
    if status in BUSY:
        return MayPass(f"{where} is busy (HTTP {status}): {said}", asked_wait(headers), busy=True)
    if status in PASSING or status >= 500:
        return MayPass(f"{where} failed (HTTP {status}): {said}", asked_wait(headers))
    if code in UNSUPPORTED_CODES:
        return EngineUnavailable(f"{where} does not take what is asked ({said}); choose another model or setting")
    return EngineError(f"{where} could not answer (HTTP {status}): {said}")


def schema_refused(error: EngineError, request: Request, who: str, kind: str) -> EngineUnavailable | None:
    """What to set among the options of the engine, where the server or the model (`who`) refused to hold a reply to a
    JSON Schema."""
    words = ("schema", "response_format")
    if not request.schema or type(error) is not EngineError or not any(word in str(error) for word in words):
        return None
    return EngineUnavailable(
        f"{error}; if the {who} refuses a JSON Schema, write structured: false among the options of {kind}"
    )


def _words(body: bytes) -> tuple[str, str]:
    """The message and the code of a server's error, in the shapes that are about."""
    text = body.decode("utf-8", "replace")
    try:
        told: Any = json.loads(text)
    except ValueError:
        return text.strip() or "no reason given", ""
    error = told.get("error", told) if isinstance(told, Mapping) else told
    if not isinstance(error, Mapping):
        return str(error), ""
    message = error.get("message") or error.get("detail") or error
    code = error.get("code") or error.get("type") or ""
    return (message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)), str(code)


def status_within(told: Mapping[str, Any]) -> int | None:
    """The status of an error that a proxy sent with HTTP 200: {"error": {"code": 429, ...}}."""
    error = told.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code < 600 else None


def unavailable(error: EngineError, place: Place) -> EngineUnavailable:
    """The same, when a run is about to begin: nobody waits for it to pass."""
    if isinstance(error, EngineUnavailable):
        return error
    if isinstance(error, Foreign):
        return EngineUnavailable(
            f"what answers at {place.url} does not speak OpenAI's interface; correct base_url, which often ends in /v1"
        )
    if isinstance(error, MayPass) and error.down:
        return EngineUnavailable(f"{error}; start it or correct base_url, then build again")
    return EngineUnavailable(f"{error}; build again later")
