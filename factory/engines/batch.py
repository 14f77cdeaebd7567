"""OpenAI's batch API as a recipe names it: half the price, and answers within a day instead of at once."""

from typing import Any, ClassVar

import httpx2
import openai
from pydantic import Field, ValidationError, field_validator

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.batch_engine import BatchEngine
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.openai.failures import NotServed, explained, unavailable
from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.prices import Price


class OpenAIBatch(EngineOptions):
    """OpenAI's batch API: half the price, answers within a day. For any server that has it."""

    kind: ClassVar[str] = "openai_batch"

    model: str
    """The model's name on the server."""
    base_url: str | None = None
    """Where the server is; OpenAI itself when left out."""
    called: str | None = Field(default=None, min_length=1)
    """A name for the server in the journal, as the engine openai has it."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; the key itself is never written anywhere."""
    api_key_file: str | None = None
    """A file that holds the key and nothing else, in place of the environment variable."""
    structured: bool = True
    """Whether the model can hold replies to a JSON Schema."""
    prices: str | None = None
    """A YAML file of what models cost when they answer at once; a batch counts as half of it."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        try:
            OpenAI(model="any", base_url=value)
        except ValidationError as error:
            raise ValueError(str(error.errors()[0].get("ctx", {}).get("error", error))) from None
        return value

    def live(self) -> OpenAI:
        """The same model on the same server, answering at once: what a batch changes is when, not what."""
        return OpenAI(**self.model_dump())

    def decides(self) -> dict[str, Any]:
        return self.live().decides()

    def price(self) -> Price | None:
        whole = self.live().price()
        return whole and Price(whole.prompt / 2, whole.completion / 2)

    def require_price(self) -> None:
        self.live().require_price()

    def check(self) -> None:
        live = self.live()
        live.check()
        place = live.at()[0]
        with openai.OpenAI(base_url=place.url, api_key=place.key.text, max_retries=1, timeout=20) as client:
            try:
                client.batches.list(limit=1)
            except (openai.OpenAIError, httpx2.HTTPError) as error:
                failure = explained(error, place)
                if isinstance(failure, NotServed):
                    raise EngineUnavailable(
                        f"the server at {place.url} has no batch API; write openai instead of openai_batch"
                    ) from error
                raise unavailable(failure, place) from error

    def open(self) -> BatchEngine:
        return BatchEngine(self.live(), self.price())
