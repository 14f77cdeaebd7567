"""A request as OpenAI's chat interface takes it."""

import json
from collections.abc import Mapping
from typing import Any

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.openai.place import Place

TOP_LOG_PROBS = 20
"""The most that OpenAI and vLLM give."""

CONTINUED = {"continue_final_message": True, "add_generation_prompt": False}
"""How vLLM is asked to go on with the last message."""

OPENAI_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0}
"""Left unsaid at OpenAI itself, some of whose models refuse the names altogether. A server of one's own may take other
defaults from the model's files, so it is told."""


def chat_body(request: Request, place: Place, continues: bool) -> dict[str, Any]:
    """The body for /chat/completions; `continues`: whether the server can go on with a reply that we began."""
    body: dict[str, Any] = {"model": place.model, "messages": messages_of(request, continues)}
    if request.opening and continues:
        body |= CONTINUED
    limit = "max_tokens" if place.own else "max_completion_tokens"
    if request.candidates:
        return {**body, limit: 1, "logprobs": True, "top_logprobs": TOP_LOG_PROBS, "temperature": 0.0}
    body[limit] = request.max_tokens
    sampling = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "presence_penalty": request.presence_penalty,
    }
    body |= {name: value for name, value in sampling.items() if place.own or value != OPENAI_DEFAULTS[name]}
    body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if request.schema:
        body["response_format"] = _response_format(request.schema)
    return body


def messages_of(request: Request, continues: bool) -> list[dict[str, str]]:
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    if request.opening and continues:
        messages.append({"role": "assistant", "content": request.opening})
    elif request.opening:
        messages[-1]["content"] += f"\n\nContinue from here, without repeating it:\n{request.opening}"
    return messages


def _response_format(schema: str) -> Mapping[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": json.loads(schema), "strict": True}}
