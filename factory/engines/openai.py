"""Any server that speaks OpenAI's chat interface, through the official client: OpenAI, vLLM, llama.cpp, Ollama...

The client retries what may pass (connections, 429 with Retry-After, 5xx). What is left over stops the run where no
request can succeed, so that it goes on later from the journal, and sets one record aside where only it cannot.
"""

import asyncio
import json
import math
import os
from typing import Any, ClassVar

import openai
from openai.types.chat import ChatCompletion
from pydantic import Field

from tuneworks.factory.engine import Completion, EngineOptions, Finish, Request, Usage
from tuneworks.factory.errors import EngineError, EngineUnavailable

RETRIES = 6
TOP_LOG_PROBS = 20  # the most OpenAI and vLLM give

LONGEST_QUOTE = 300
"""Characters of a server's own words in an error."""

FAILURES = (openai.OpenAIError, ValueError, AttributeError)
"""What the client raises; the latter two where the server says something else than OpenAI's JSON."""


class OpenAI(EngineOptions):
    """A server with OpenAI's interface."""

    kind: ClassVar[str] = "openai"

    model: str
    """The model's name on the server."""
    base_url: str | None = None
    """Where the server is, such as http://localhost:8000/v1; OpenAI itself when left out."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; the key itself is never written anywhere."""
    in_flight: int = Field(default=64, ge=1)
    """Most requests under way at a time."""
    timeout: float = Field(default=600.0, gt=0)
    """Seconds until an unanswered request is tried again."""
    structured: bool = True
    """Whether the server can hold replies to a JSON Schema, as OpenAI and vLLM can; without it replies are plain text
    and read as such."""

    @property
    def place(self) -> str:
        return self.base_url or "https://api.openai.com/v1"

    def key(self) -> str:
        key = os.environ.get(self.api_key_env, "")
        if not key and self.base_url is None:
            raise EngineUnavailable(
                f"the engine openai needs a key: put it in the environment variable {self.api_key_env}, "
                "or name your own server with base_url"
            )
        return key or "none"  # the client insists on one; local servers ignore it

    def check(self) -> None:
        client = openai.OpenAI(base_url=self.base_url, api_key=self.key(), max_retries=1, timeout=20)
        with client:
            try:
                served = [m.id for m in client.models.list()]
            except FAILURES as error:
                raise explained(error, self) from error
        if served and self.model not in served:
            some = ", ".join(sorted(served)[:5])
            raise EngineUnavailable(f"the server at {self.place} has no model {self.model!r}; it serves {some}")

    def open(self) -> "OpenAIEngine":
        return OpenAIEngine(self)


class OpenAIEngine:
    def __init__(self, options: OpenAI) -> None:
        self.name = f"openai:{options.model}@{options.place}"
        self.structured = options.structured
        self._options = options
        self._client = openai.AsyncOpenAI(
            base_url=options.base_url, api_key=options.key(), max_retries=RETRIES, timeout=options.timeout
        )
        self._slots = asyncio.Semaphore(options.in_flight)
        self._can_continue: asyncio.Task[bool] | None = None

    async def complete(self, request: Request) -> Completion:
        async with self._slots:
            try:
                reply = await self._client.chat.completions.create(**await self._asked(request))
            except FAILURES as error:
                if request.schema and refuses_schemas(error):
                    raise EngineUnavailable(
                        f"the server at {self._options.place} refuses a JSON Schema ({one_line(error)}); "
                        "write structured: false among the options of openai"
                    ) from error
                raise explained(error, self._options) from error
        if not isinstance(reply, ChatCompletion):  # a web page comes as a plain string
            raise foreign(self._options)
        return completion(reply, request)

    async def close(self) -> None:
        await self._client.close()

    async def _asked(self, request: Request) -> dict[str, Any]:
        messages: list[dict[str, str]] = [{"role": m.role, "content": m.content} for m in request.messages]
        extra: dict[str, Any] = {}
        if request.opening and await self._continues():
            messages.append({"role": "assistant", "content": request.opening})
            extra = {"continue_final_message": True, "add_generation_prompt": False}
        elif request.opening:
            messages[-1]["content"] += f"\n\nContinue from here, without repeating it:\n{request.opening}"
        # OpenAI's newer models refuse max_tokens; other servers may not know its successor.
        limit = "max_completion_tokens" if self._options.base_url is None else "max_tokens"
        asked: dict[str, Any] = {"model": self._options.model, "messages": messages, "extra_body": extra}
        if request.candidates:
            return {**asked, limit: 1, "logprobs": True, "top_logprobs": TOP_LOG_PROBS, "temperature": 0.0}
        return {
            **asked,
            limit: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "presence_penalty": request.presence_penalty,
            "seed": request.seed,
            **({"stop": list(request.stop)} if request.stop else {}),
            **({"response_format": _response_format(request.schema)} if request.schema else {}),
        }

    async def _continues(self) -> bool:
        """Whether the server can go on with a reply that we began: vLLM can. Asked once."""
        if self._can_continue is None:
            self._can_continue = asyncio.create_task(self._is_vllm())
        return await asyncio.shield(self._can_continue)

    async def _is_vllm(self) -> bool:
        models = await self._client.models.list()
        return any(m.owned_by == "vllm" for m in models.data)


def _response_format(schema: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": json.loads(schema), "strict": True}}


def completion(reply: ChatCompletion, request: Request) -> Completion:
    if not reply.choices:
        raise EngineError(f"the server's reply holds no choice; it says {one_line(reply.model_extra)}")
    choice = reply.choices[0]
    finish: Finish = choice.finish_reason if choice.finish_reason in ("stop", "length") else "other"
    usage = Usage(reply.usage.prompt_tokens, reply.usage.completion_tokens) if reply.usage else Usage()
    # A server that cuts an emoji in two sends half a surrogate pair, which cannot be written down.
    text = (choice.message.content or "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Completion(text, finish, usage, candidate_log_probs(reply, request.candidates))


def candidate_log_probs(reply: ChatCompletion, candidates: tuple[str, ...]) -> dict[str, float]:
    """Per candidate, the log of the summed probability of the listed tokens that begin it ("3", " 3", " fin")."""
    if not candidates:
        return {}
    listed = reply.choices[0].logprobs
    if listed is None or not listed.content:
        raise EngineError("the server gave no log-probabilities; judging needs a server that does, such as vLLM")
    mass: dict[str, float] = {}
    for token in listed.content[0].top_logprobs:
        text = token.token.strip()
        meant = [c for c in candidates if text and c.strip().startswith(text)]
        if len(meant) == 1:
            mass[meant[0]] = mass.get(meant[0], 0.0) + math.exp(token.logprob)
    return {text: math.log(p) for text, p in mass.items() if p > 0}


def refuses_schemas(error: Exception) -> bool:
    refused = isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError)
    return refused and any(word in str(error).lower() for word in ("response_format", "json_schema", "schema"))


def foreign(options: OpenAI) -> EngineUnavailable:
    return EngineUnavailable(
        f"what answers at {options.place} does not speak OpenAI's interface; correct base_url, which often ends in /v1"
    )


def one_line(said: object) -> str:
    """What a server said, short enough for a sentence."""
    text = " ".join(str(said).split())
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def explained(error: Exception, options: OpenAI) -> EngineError:
    """The client's error in our words: what stops the run, and what sets one record aside."""
    place = options.place
    if isinstance(error, openai.APITimeoutError):
        return EngineUnavailable(
            f"the server at {place} did not answer in time; see whether it is well, then build again"
        )
    if isinstance(error, openai.APIConnectionError):
        return EngineUnavailable(f"no server answers at {place}; start it or correct base_url, then build again")
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return EngineUnavailable(f"the server at {place} refused the key; put the right one in {options.api_key_env}")
    if isinstance(error, openai.NotFoundError):
        return EngineUnavailable(
            f"the server at {place} has no model {options.model!r} or no such path; correct model or base_url"
        )
    if isinstance(error, openai.RateLimitError):
        return EngineUnavailable(f"the server at {place} keeps refusing for its rate limit or quota; build again later")
    if isinstance(error, openai.APIStatusError) and error.status_code in (502, 503, 504):
        return EngineUnavailable(
            f"the server at {place} is not available (HTTP {error.status_code}); build again later"
        )
    if not isinstance(error, openai.OpenAIError):
        return foreign(options)
    key = os.environ.get(options.api_key_env, "")
    said = str(error).replace(key, "[the key]") if key else str(error)  # some servers repeat it
    return EngineError(f"the server at {place} could not answer: {one_line(said)}")
