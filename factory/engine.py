"""Engine: who answers. One async verb; what guards a model (the journal) is an engine around one."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import Message

Finish = Literal["stop", "length", "other"]


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that can change a reply, for one sample."""

    messages: tuple[Message, ...]
    opening: str = ""
    """Text the reply begins with, written by us; the completion holds what follows it."""
    max_tokens: int = 512
    temperature: float = 1.0
    """0 takes the most likely token each time."""
    top_p: float = 1.0
    presence_penalty: float = 0.0
    """Subtracted from the logit of every token the reply already holds, as in OpenAI's interface."""
    stop: tuple[str, ...] = ()
    """Texts that end the reply; they are not part of it."""
    seed: int = 0
    """Samples of one prompt differ by their seed."""
    candidates: tuple[str, ...] = ()
    """Texts of which the log-probability as the reply's first token is wanted; nothing is generated then."""
    schema: str = ""
    """JSON Schema that the reply must follow, as JSON; only for an engine that is `structured`."""


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply. `log_probs` holds the natural logarithm for each candidate; a server may leave some out."""

    text: str
    finish: Finish = "stop"
    usage: Usage = Usage()
    log_probs: Mapping[str, float] = field(default_factory=dict)


class Engine(Protocol):
    name: str
    """Which model, where: part of every journal key, and what `Answer.by` says."""
    structured: bool
    """Whether it can hold its replies to a request's `schema`."""

    async def complete(self, request: Request) -> Completion:
        """Answer, or raise EngineError (this request cannot be answered) or EngineUnavailable (none can)."""
        ...

    async def close(self) -> None: ...


class EngineOptions(Plugin):
    """What a recipe says about an engine; `open` makes the engine."""

    family: ClassVar[str] = "engines"

    @abstractmethod
    def open(self) -> Engine: ...
