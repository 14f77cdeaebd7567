"""The Hub's own client, and what it raises as sentences that end in what to do."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuneworks import __version__
from tuneworks.factory.errors import InputError, MissingExtra, TuneworksError
from tuneworks.factory.quoting import one_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi, errors

LOGIN = "run `hf auth login`, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_NETWORK = ("httpx", "httpx2", "aiohttp", "requests")
PUSH_AGAIN = "repeat it, what is there already is not sent twice"


class HubBusy(InputError):
    """What may pass by itself: too many requests, a server's own failure, a broken connection."""

    def __init__(self, sentence: str, wait: float | None = None) -> None:
        super().__init__(sentence)
        self.wait = wait
        """Seconds that the Hub asks for before the next attempt, where it says."""


def client() -> "HfApi":
    """A client of the Hub at HF_ENDPOINT, with the login of this machine; it tells nobody what it is used for."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtra("huggingface_hub", "hub", "the Hugging Face Hub") from error
    return HfApi(library_name="tuneworks", library_version=__version__)


def logged_in() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None


def answered(error: InputError) -> bool:
    """Whether the Hub said so, and not the network or an overloaded server."""
    return getattr(error.__cause__, "response", None) is not None and not isinstance(error, HubBusy)


def no_name(repo: str) -> str:
    return f"{repo!r} is no name of a dataset on the Hub; write owner/name, of letters, digits, '-', '_' and '.'"


@contextmanager
def in_sentences(api: "HfApi", repo: str, doing: str, then: str) -> Iterator[None]:
    """What the client raises inside as InputError; HubBusy where the same may work later.

    `doing` names what fails: "the push to owner/name"; `then` says what to do where nothing else is to be said.
    """
    try:
        yield
    except TuneworksError:
        raise
    except Exception as error:
        told = next(filter(None, (_told(cause, api, repo, doing, then) for cause in _causes(error))), None)
        if told is None and isinstance(error, OSError | ValueError | RuntimeError):
            told = InputError(f"{doing} failed ({one_line(error)}); {then}")
        if told is None:
            raise
        raise told from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException, api: "HfApi", repo: str, doing: str, then: str) -> InputError | None:
    from huggingface_hub import errors

    if isinstance(error, errors.HFValidationError):
        return InputError(no_name(repo))
    if isinstance(error, errors.OfflineModeIsEnabled):
        return InputError(f"{doing} needs the network, and HF_HUB_OFFLINE is set; unset it and repeat")
    if isinstance(error, errors.HfHubHTTPError):
        return _answered(error, repo, doing, then)
    if type(error).__module__.split(".")[0] in _NETWORK:
        if type(error).__name__ in ("ReadError", "WriteError", "RemoteProtocolError", "ReadTimeout", "WriteTimeout"):
            return HubBusy(f"{doing} broke off ({one_line(error)}); {then}")
        return InputError(
            f"the Hub at {api.endpoint} cannot be reached ({one_line(error)}); see to the network or HF_ENDPOINT and "
            "repeat"
        )
    if isinstance(error, ValueError) and str(error).startswith("Invalid metadata in README.md"):
        return InputError(f"the Hub does not take the dataset's card ({one_line(error)}); build the dataset again")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{doing} failed, for the disk is full ({one_line(error)}); make room and repeat")
    return None


def _answered(error: "errors.HfHubHTTPError", repo: str, doing: str, then: str) -> InputError:
    """What the Hub's status means."""
    from huggingface_hub import errors

    status, said = error.response.status_code, one_line(error.server_message or error)
    if isinstance(error, errors.GatedRepoError):
        return InputError(f"the dataset {repo} is gated; ask for access on its page on the Hub, then {LOGIN}")
    if isinstance(error, errors.RevisionNotFoundError):
        return InputError(f"the dataset {repo} has no such revision; name a branch, tag or commit that it has")
    if status == 401 and logged_in() and not isinstance(error, errors.RepositoryNotFoundError):
        return InputError(f"the Hub does not accept the token ({said}); {LOGIN}")
    if status == 401 or isinstance(error, errors.RepositoryNotFoundError):
        login = "correct the name, or log in as someone who may see it" if logged_in() else f"correct it, or {LOGIN}"
        return InputError(f"the dataset {repo} does not exist on the Hub or needs a login; {login}")
    if status in (402, 403):
        return InputError(
            f"the Hub does not permit {doing} ({said}); name a repo of yours, or {LOGIN} that may write there"
        )
    if status in (409, 412):
        return InputError(
            f"{doing} was refused, for somebody else changed the repo meanwhile ({said}); look at it, then push again"
        )
    if status in _BUSY:
        what = "takes no more requests for now" if status == 429 else f"answers {status}"
        return HubBusy(f"the Hub {what} ({said}), so {doing} stopped; {then}", _wait(error))
    return InputError(f"the Hub refuses {doing} with status {status} ({said}); correct that and repeat")


def _wait(error: "errors.HfHubHTTPError") -> float | None:
    """Seconds, from either of the headers: `RateLimit: "api";r=0;t=55` or `Retry-After: 55`."""
    headers = error.response.headers
    limit = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("ratelimit", ""))
    said = limit[1] if limit else headers.get("retry-after", "")
    return float(said) if said.isdigit() else None
