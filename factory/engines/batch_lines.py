"""The two files of a batch: a line a request going up, a line a reply coming down."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.openai.asking import chat_body
from tuneworks.factory.engines.openai.failures import refused, schema_refused
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.engines.openai.replies import completion
from tuneworks.factory.errors import MayPass
from tuneworks.factory.prices import Price
from tuneworks.factory.quoting import one_line

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold: OpenAI's limits."""

    requests: int = 50_000
    size: int = 200_000_000
    """Bytes of the file."""


def write(asked: Sequence[tuple[str, Request]], place: Place, limits: Limits, file: IO[bytes]) -> list[str]:
    """Write as many of the requests, from the first on, as a batch may hold; at least one. Their keys."""
    keys: list[str] = []
    size = 0
    for key, request in asked[: limits.requests]:
        line = _line(key, chat_body(request, place, continues=False))
        size += len(line)
        if keys and size > limits.size:
            break
        keys.append(key)
        file.write(line)
    return keys


def _line(key: str, body: Mapping[str, Any]) -> bytes:
    line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


@dataclass(slots=True)
class Answers:
    """The lines that came down, on disk: a batch's answers may be large, and are asked for one by one."""

    file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _places: dict[str, tuple[int, int]] = field(default_factory=dict)

    def find(self) -> None:
        """Look where the lines are. A line that cannot be read is as one that never came."""
        self.file.seek(0)
        at = 0
        for line in self.file:
            try:
                key = json.loads(line)["custom_id"]
            except (ValueError, LookupError, TypeError):
                key = None
            if isinstance(key, str):
                self._places[key] = (at, len(line))
            at += len(line)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def line(self, key: str) -> dict[str, Any]:
        at, length = self._places[key]
        self.file.seek(at)
        read: dict[str, Any] = json.loads(self.file.read(length))
        return read

    def close(self) -> None:
        self.file.close()
        self._places.clear()


def read(line: Mapping[str, Any], request: Request, place: Place, price: Price | None) -> Completion:
    """The reply in a line, or the error it tells: MayPass where the request may be submitted again."""
    response, error = line.get("response") or {}, line.get("error") or {}
    status, body = response.get("status_code"), response.get("body")
    if status == 200 and isinstance(body, Mapping):
        return completion(body, request, price)
    if isinstance(status, int):
        said = place.key.out_of(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
        refusal = refused(status, said, {}, place)
        raise schema_refused(refusal, request, "model", "openai_batch") or refusal
    if error.get("code") == "batch_expired":
        raise MayPass(f"the server at {place.url} did not come to it in a day", down=True)
    reason = place.key.out_of(str(error.get("message") or "no reason given").encode()).decode()
    raise MayPass(f"the server at {place.url} could not answer: {one_line(reason)}")
