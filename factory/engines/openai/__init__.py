"""Any server that speaks OpenAI's chat interface, through the official client: OpenAI, vLLM, llama.cpp, Ollama...

One attempt a call; whoever keeps the pace (`Paced`) makes attempts again and shares the work among several servers.
"""

from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, field_validator

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.openai.checking import check_all
from tuneworks.factory.engines.openai.key import NONE, Key, key_from
from tuneworks.factory.engines.openai.place import Place
from tuneworks.factory.engines.openai.server import OpenAIServer
from tuneworks.factory.engines.pace.paced import Pace, Paced
from tuneworks.factory.errors import EngineUnavailable, RecipeError
from tuneworks.factory.prices import OPENAI_HOST, Price, configured, price_of

OPENAI = f"https://{OPENAI_HOST}/v1"

SECRET_WORDS = ("key", "token", "secret", "sig", "pass", "auth")


class OpenAI(EngineOptions):
    """A server with OpenAI's interface, or several that serve the same model."""

    kind: ClassVar[str] = "openai"

    model: str
    """The model's name on the server."""
    base_url: str | tuple[str, ...] | None = None
    """Where the server is, such as http://localhost:8000/v1; OpenAI itself when left out. A list of servers that serve
    the same model shares the work among them."""
    called: str | None = Field(default=None, min_length=1)
    """A name for the servers in the journal, so that replies hold when a server moves to another port or one is
    added."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; the key itself is never written anywhere."""
    api_key_file: str | None = None
    """A file that holds the key and nothing else, in place of the environment variable."""
    in_flight: int = Field(default=256, ge=1)
    """Most requests under way at a time, all servers together; fewer where more do not help."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Most requests in any minute; no limit when left out."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Most tokens, asked and answered, in any minute; no limit when left out."""
    timeout: float = Field(default=600.0, gt=0)
    """Seconds until an unanswered request is tried again."""
    patience: float = Field(default=300.0, gt=0)
    """Seconds for which every server may be away before the run is stopped."""
    structured: bool = True
    """Whether the server can hold replies to a JSON Schema, as OpenAI and vLLM can; without it replies are plain text
    and read as such."""
    prices: str | None = None
    """A YAML file of what models cost: `models: {NAME: {prompt: USD, completion: USD}}`, for a million tokens each."""

    @field_validator("base_url")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for url in (value,) if isinstance(value, str) else value or ():
            _require_address(url)
        if value == ():
            raise ValueError("base_url names no server; write its address, or leave base_url out for OpenAI itself")
        return value

    @property
    def places(self) -> tuple[str, ...]:
        """The servers' addresses as written, in order, each once."""
        if self.base_url is None:
            return (OPENAI,)
        return (self.base_url,) if isinstance(self.base_url, str) else tuple(sorted(set(self.base_url)))

    @property
    def place(self) -> str:
        """All of them, for sentences and names."""
        return ",".join(self.places)

    @property
    def name(self) -> str:
        """What the journal calls the engine."""
        return f"openai:{self.model}@{self.called or self.place}"

    def decides(self) -> dict[str, Any]:
        return {self.kind: {"model": self.model, "at": self.called or list(self.places), "structured": self.structured}}

    def require_key(self) -> None:
        """Raises EngineUnavailable where a key is needed and not there."""
        if key_from(self.api_key_env, self.api_key_file) is None and self.base_url is None:
            raise EngineUnavailable(
                f"the engine openai needs a key: put it in the environment variable {self.api_key_env}, "
                "or name your own server with base_url"
            )

    def key(self) -> Key:
        """A stand-in where none can be read: a replay asks nobody and needs none, and `check` says what is wrong."""
        try:
            key = key_from(self.api_key_env, self.api_key_file)
        except EngineUnavailable:
            key = None
        return key or Key(NONE, self.api_key_file or f"the environment variable {self.api_key_env}")

    def at(self) -> list[Place]:
        key = self.key()
        return [
            Place(url.rstrip("/"), self.model, key, self.timeout, urlsplit(url).hostname != OPENAI_HOST)
            for url in self.places
        ]

    def price(self) -> Price | None:
        """What a call costs, null where that is not known; with several servers what the dearest asks."""
        prices = [price_of(self.model, place, self.prices) for place in self.places]
        known = [price for price in prices if price is not None]
        return max(known, key=lambda p: (p.completion, p.prompt)) if len(known) == len(prices) else None

    def require_price(self) -> None:
        if self.price() is None:
            raise RecipeError(
                f"the price of {self.model} at {self.place} is not known, so money cannot be limited; write it into "
                f"{self.prices or configured()}: models: {{{self.model}: {{prompt: USD, completion: USD}}}}"
            )

    def check(self) -> None:
        self.price()
        self.require_key()
        check_all(self.at())

    def open(self) -> Paced:
        price, places = self.price(), self.at()
        servers = [OpenAIServer(place, self.in_flight, price) for place in places]
        pace = Pace(self.in_flight, self.requests_per_minute, self.tokens_per_minute, self.patience)
        scores = any(place.own for place in places)
        return Paced(self.name, servers, pace, structured=self.structured, scores=scores)


def _require_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, sound = urlsplit(""), False
    if not sound:
        raise ValueError(f"{url!r} is no address of a server; write it like http://localhost:8000/v1")
    queried = (name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    if parts.password or parts.username or any(word in name for name in queried for word in SECRET_WORDS):
        raise ValueError(
            "base_url holds a password or a key, and it is written into files; take it out, and put the key into the "
            "environment variable or file that api_key_env or api_key_file names"
        )
