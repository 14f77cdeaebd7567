"""How likely a model, in this process or an engine, finds the answers of records, after their prompts and alone.

Prompts and answers come as a frame, and what is known of a row is told by its place.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import polars as pl

from tuneworks.factory.engine import Engine, Loss, Request
from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.flight import in_order
from tuneworks.factory.record import Message
from tuneworks.factory.weights import loading

if TYPE_CHECKING:
    from tuneworks.factory.engines.likelihood import Given, Likelihood

Known = Mapping[str, Mapping[int, object]]
"""By measure and place: `perplexity`, `alone`, the answer's `tokens`, and why a record was `refused`."""


def _answered(texts: pl.DataFrame) -> Iterator[tuple[int, list[Message], str]]:
    """The place, prompt and answer of every record that has an answer."""
    for at, (prompt, text) in enumerate(texts.iter_rows()):
        if text and text.strip():
            yield at, _messages(prompt), text


def by_model(name: str, texts: pl.DataFrame) -> Known:
    """For the columns `prompt` and `text`; `longest` is how many tokens of both the model reads."""
    scorer = _loaded(name)
    rows: dict[int, Given] = {}
    tokens: dict[int, int] = {}
    refused: dict[int, str] = {}
    for at, prompt, text in _answered(texts):
        try:
            given = scorer.answer(prompt, text)
        except EngineError as error:
            refused[at] = str(error)
            continue
        tokens[at] = len(given.text) if given else scorer.longest + 1
        if given and given.text and len(given) <= scorer.longest:
            rows[at] = given
    losses = scorer.losses([*rows.values(), *map(scorer.alone, rows.values())])
    perplexities = [loss.perplexity for loss in losses]
    return {
        "perplexity": dict(zip(rows, perplexities, strict=False)),
        "alone": dict(zip(rows, perplexities[len(rows) :], strict=True)),
        "tokens": tokens,
        "longest": dict.fromkeys(range(texts.height), scorer.longest),
        "refused": refused,
    }


async def by_engine(engine: Engine, texts: pl.DataFrame) -> Known:
    """As `by_model`. What the engine cannot score is `refused`, with its reason."""
    rows = list(_answered(texts))
    requests = [Request(tuple(asked), given=text) for _, prompt, text in rows for asked in (prompt, [])]
    found = [loss async for loss in in_order((partial(_loss, engine, r) for r in requests), engine.room)]
    known: dict[str, dict[int, object]] = {name: {} for name in ("perplexity", "alone", "tokens", "refused")}
    for (at, _, _), after, alone in zip(rows, found[::2], found[1::2], strict=True):
        for name, loss in (("alone", alone), ("perplexity", after)):
            if isinstance(loss, Loss):
                known[name][at], known["tokens"][at] = loss.perplexity, loss.tokens
            else:
                known["refused"][at] = loss
    return known


async def _loss(engine: Engine, request: Request) -> Loss | str:
    """Of the given answer, or why there is none."""
    try:
        loss = (await engine.complete(request)).loss
    except EngineUnavailable:
        raise
    except EngineError as error:
        return str(error)
    return loss if loss and loss.tokens else "the model gave no likelihood for the answer"


@lru_cache(maxsize=1)
def _loaded(name: str) -> "Likelihood":
    """Kept from slice to slice, until it is forgotten."""
    require_torch(f"perplexity with the model {name}")
    from tuneworks.factory.engines.likelihood import likelihood

    with loading(f"the model {name}"):
        return likelihood(name)


def forget() -> None:
    """Free the model that was loaded to measure, unless another holds it too."""
    if _loaded.cache_info().currsize:
        from tuneworks.factory.engines.decoding import give_back

        _loaded.cache_clear()
        give_back()


def _messages(prompt: list[dict[str, Any]] | None) -> list[Message]:
    return [Message(turn["role"], turn["content"] or "") for turn in prompt or []]
