"""A reply of OpenAI's chat interface as a completion. Servers leave out what they like, so nothing is relied on."""

import math
from collections.abc import Mapping
from typing import Any

from tuneworks.factory.engine import Completion, Finish, Request, Usage
from tuneworks.factory.errors import EngineError
from tuneworks.factory.prices import Price
from tuneworks.factory.quoting import one_line


def completion(told: Mapping[str, Any], request: Request, price: Price | None) -> Completion:
    """Raises EngineError where the reply holds no answer."""
    choice = first_choice(told)
    message, reason = choice.get("message"), choice.get("finish_reason")
    finish: Finish = reason if reason in ("stop", "length") else "other"
    text = message.get("content") if isinstance(message, Mapping) else None
    log_probs = candidate_log_probs(choice, request.candidates)
    return Completion(whole(text if isinstance(text, str) else ""), finish, usage_of(told, price), log_probs)


def first_choice(told: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = told.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise EngineError(f"the server's reply holds no choice; it says {one_line(dict(told))}")
    return choices[0]


def whole(text: str) -> str:
    """A server that cuts an emoji in two sends half a surrogate pair, which cannot be written down."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def usage_of(told: Mapping[str, Any], price: Price | None) -> Usage:
    used = told.get("usage")
    if not isinstance(used, Mapping):
        return Usage()
    prompt, said = (_count(used.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(prompt, said, price.of(prompt, said) if price else 0.0)


def both(a: Usage, b: Usage) -> Usage:
    return Usage(a.prompt_tokens + b.prompt_tokens, a.completion_tokens + b.completion_tokens, a.usd + b.usd)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def candidate_log_probs(choice: Mapping[str, Any], candidates: tuple[str, ...]) -> dict[str, float]:
    """Per candidate, the log of the summed probability of the listed tokens that begin it ("3", " 3", " fin")."""
    if not candidates:
        return {}
    mass: dict[str, float] = {}
    for said, log_prob in _first_token(choice).items():
        text = said.strip()
        meant = [c for c in candidates if text and c.strip().startswith(text)]
        if len(meant) == 1:
            mass[meant[0]] = mass.get(meant[0], 0.0) + math.exp(log_prob)
    return {text: math.log(p) for text, p in mass.items() if p > 0}


def _first_token(choice: Mapping[str, Any]) -> Mapping[str, float]:
    """What the reply might have begun with: each listed token and its log-probability."""
    try:
        listed = choice["logprobs"]["content"][0]["top_logprobs"]
        return {str(entry["token"]): float(entry["logprob"]) for entry in listed}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EngineError(
            "the server gave no log-probabilities; judging needs a server that does, such as vLLM"
        ) from error
