"""Engine: who answers. One async verb; what guards a model (the journal, the pace) is an engine around one."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, Protocol
from weakref import WeakKeyDictionary

from pydantic import BeforeValidator, ValidationInfo

from tuneworks.factory.budget import UNLIMITED, Budget
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import Message, fingerprint

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
    given: str = ""
    """A reply that is there already. How likely the model finds it is wanted (`Completion.loss`), and nothing is
    generated; only for an engine that `scores`. Without messages it is read after nothing but the chat template's sign
    that a reply begins."""


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    """What the call cost, by the prices that are known; 0 where the model is one's own."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The negative log-likelihood of a text, summed over its tokens, in nats."""

    nats: float
    tokens: int

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.nats / self.tokens, 700.0))


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply. `log_probs` holds the natural logarithm for each candidate; a server may leave some out."""

    text: str
    finish: Finish = "stop"
    usage: Usage = Usage()
    log_probs: Mapping[str, float] = field(default_factory=dict)
    loss: Loss | None = None
    """Of the request's `given`."""


class Engine(Protocol):
    """Inherit from it: then only what differs needs saying."""

    name: str
    """Which model, where: part of every journal key, and what `Answer.by` says."""
    structured: bool = False
    """Whether it can hold its replies to a request's `schema`."""
    scores: bool = False
    """Whether it can tell how likely a request's `given` is."""
    batches: bool = False
    """Whether a reply may hang on which other requests wait at the time, since those share its batch: then nothing that
    hangs on time may come between."""
    room: int = 512
    """Most requests that are worth holding open at a time; how many of them a model works on is its own affair."""
    budget: Budget = UNLIMITED
    """Asked (`admit`) right before a request is handed to a model; what guards the engine says what was spent."""

    @property
    def status(self) -> str:
        """What is waited for, in a few words for the person at the terminal; empty while all goes well."""
        return ""

    async def complete(self, request: Request) -> Completion:
        """Answer, or raise EngineError (this request cannot be answered), EngineUnavailable (none can) or
        BudgetReached (none may be asked any more)."""
        ...

    async def close(self) -> None:
        """End. What a model works on may still be answered, for a short while; all else that waits is refused with
        EngineUnavailable."""
        ...

    def beside(self, other: "Engine") -> "Engine":
        """`other`, guarded as this one is: its calls in the same journal and under the same budget."""
        other.budget = self.budget
        return other


class Around(Engine):
    """An engine around an engine: what is not said otherwise is the inner one's."""

    def __init__(self, inner: Engine) -> None:
        self.name, self.structured, self.scores = inner.name, inner.structured, inner.scores
        self.batches, self.room = inner.batches, inner.room
        self._inner = inner

    @property
    def budget(self) -> Budget:
        return self._inner.budget

    @budget.setter
    def budget(self, budget: Budget) -> None:
        self._inner.budget = budget

    @property
    def status(self) -> str:
        return self._inner.status

    async def complete(self, request: Request) -> Completion:
        return await self._inner.complete(request)

    async def close(self) -> None:
        await self._inner.close()


class EngineOptions(Plugin):
    """What a recipe says about an engine; `open` makes the engine."""

    family: ClassVar[str] = "engines"

    @abstractmethod
    def open(self) -> Engine: ...

    def require_price(self) -> None:
        """Raise RecipeError, saying how to name it, if what a call costs is not known. A model of one's own costs
        nothing."""


def _named(value: object, info: ValidationInfo) -> EngineOptions | None:
    return None if value is None else EngineOptions.nested(value, info)


NamedEngine = Annotated[EngineOptions | None, BeforeValidator(_named)]
"""An option of a stage or a judge: the engine that it asks in place of the recipe's."""

_beside: "WeakKeyDictionary[Engine, dict[str, Engine]]" = WeakKeyDictionary()


def opened_beside(engine: Engine, options: EngineOptions) -> Engine:
    """The engine of these options, guarded as `engine` is and closed with it; opened once for each `engine`."""
    opened = _beside.setdefault(engine, {})
    key = fingerprint(options.written())
    if key not in opened:
        opened[key] = engine.beside(options.open())
    return opened[key]
