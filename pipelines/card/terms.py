"""Terms: the licences of what a dataset was made from, and where a licence or a model's provider restricts its use."""

import re
from collections.abc import Iterator
from typing import Any

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.weights import SMOLLM2
from tuneworks.pipelines.limits import engines_of
from tuneworks.pipelines.recipe import Recipe, Source

OURS = "apache-2.0"
"""The licence of the seeds and of the embedded model that come with Tuneworks."""

UNKNOWN = "unknown"

RESTRICTED = (
    (r"-nc\b|-nc-", "forbids commercial use"),
    (r"-nd\b", "forbids sharing what was changed or made from it"),
    (r"-sa\b|gpl", "asks that what is made from it keeps the same licence"),
    (r"llama|gemma|rail|^other$", "has terms of its own, which bind whoever uses what was made from it"),
)
"""Licences by the marks of their names, and what they restrict."""

MODELS = (
    (r"gpt|(^|/)o\d\b|openai", "OpenAI", "do not allow the output to be used to develop competing models"),
    (r"claude|anthropic", "Anthropic", "do not allow the output to be used to train competing models"),
    (r"gemini", "Google", "restrict the use of the output to develop competing models"),
    (r"llama", "Meta", "ask that models improved by the output carry Llama in their name"),
    (r"gemma", "Google", "bind models that were trained on the output"),
)
"""Models by their names, and what the terms of those who provide them say of their output."""

FREE_WEIGHTS = re.compile(r"gpt-oss", re.IGNORECASE)


def licence_of(source: Source) -> str:
    """As the Hub writes it; of the built-in seeds ours, where nothing is known "unknown"."""
    built_in = source.seeds is not None and re.fullmatch(r"[a-z-]+", source.seeds) is not None
    return source.licence or (OURS if built_in else UNKNOWN)


def licences(recipe: Recipe) -> list[str]:
    return sorted({licence_of(source) for source in recipe.sources.values()})


def restrictions(recipe: Recipe) -> list[str]:
    """A sentence for each source or model whose terms restrict what may be done with the dataset, or are not known."""
    return [*_of_sources(recipe), *dict.fromkeys(_of_models(recipe))]


def _of_sources(recipe: Recipe) -> Iterator[str]:
    for name, source in recipe.sources.items():
        licence = licence_of(source)
        if licence == UNKNOWN:
            yield f"The licence of the source `{name}` is not known; see to it before the dataset is used or shared."
        for mark, what in RESTRICTED:
            if re.search(mark, licence):
                yield f"The licence of the source `{name}`, {licence}, {what}."


def _of_models(recipe: Recipe) -> Iterator[str]:
    for engine in engines_of(recipe):
        model = model_of(engine)
        for mark, who, what in MODELS:
            if re.search(mark, model, re.IGNORECASE) and not FREE_WEIGHTS.search(model):
                yield f"Text was written by `{model}`. The terms of {who} {what}; read them before training on it."


def model_of(engine: EngineOptions) -> str:
    """The model's name; a folder's last part alone, for where it lies is nobody else's business."""
    options: dict[str, Any] = engine.model_dump()
    name = str(options.get("model", engine.kind))
    return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", "~", ".")) else name


def is_ours(engine: EngineOptions) -> bool:
    """Whether the embedded model answers, whose licence is known."""
    return isinstance(engine, Transformers) and engine.model == SMOLLM2
