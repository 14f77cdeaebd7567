"""A server, and what is needed to ask it."""

from dataclasses import dataclass

from tuneworks.factory.engines.openai.key import Key


@dataclass(frozen=True, slots=True)
class Place:
    url: str
    """Its base URL, without the slash at its end."""
    model: str
    key: Key
    timeout: float
    """Seconds for one whole attempt."""
    own: bool = True
    """Whether it is not OpenAI itself, whose newer models refuse the older name of the limit on tokens."""

    @property
    def root(self) -> str:
        """Where paths lie that are beside /v1, not under it."""
        return self.url.removesuffix("/v1")
