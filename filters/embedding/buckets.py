"""Equal-length buckets: only texts of equally many tokens share a batch; nothing is padded, attention needs no mask."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules import Transformer
from transformers import PreTrainedTokenizerBase

from tuneworks.factory.engines.decoding import device_and_dtype
from tuneworks.filters.embedding.bert import Bert
from tuneworks.filters.embedding.encoder import Vectors

TOKENS = 768
"""Tokens of a batch on a CPU. More are hardly faster, and the last batch of a length is filled up to so many."""

GPU_TOKENS = 8192


class Buckets:
    """Embeds with a loaded model of sentence-transformers.

    The transformer's matrices are multiplied in bfloat16 where that is fast; norms, sums of layers, softmax, pooling
    and all modules after the transformer stay in float32.
    """

    def __init__(self, model: Any) -> None:
        self._model = model.eval()
        self._plain = reads_plain_text(model)
        self._device, self._half = device_and_dtype()
        self._budget = TOKENS if self._device == "cpu" else GPU_TOKENS
        self._bert: Bert | None = None
        if self._plain and self._device == "cpu" and Bert.reads(model[0].model):
            self._bert = Bert(model[0].model, self._half)
        elif self._plain:
            for layer in model[0].modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.to(self._half)

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not self._plain:
            return unit(self._model.encode(list(texts), show_progress_bar=False))
        vectors = np.zeros((len(texts), self._model.get_embedding_dimension()), dtype=np.float32)
        if texts:
            rows = self._model[0].processor(list(texts), truncation="longest_first", return_attention_mask=False)
            for places in batches([len(row) for row in rows["input_ids"]], self._budget):
                vectors[places] = self._vectors({name: [rows[name][at] for at in places] for name in rows})
        return unit(vectors)

    @torch.inference_mode()
    def _vectors(self, rows: dict[str, list[list[int]]]) -> Vectors:
        """One vector for each row of a batch. The batch is filled up with copies, so that it has one shape for a
        length, and the numbers of a row depend on the row alone."""
        count, length = len(rows["input_ids"]), len(rows["input_ids"][0])
        copies = -(-self._budget // length) - count
        filled = {name: torch.tensor(row + row[:1] * copies, device=self._device) for name, row in rows.items()}
        features: dict[str, Any] = {"token_embeddings": self._transformed(filled).float()}
        features["attention_mask"] = torch.ones_like(filled["input_ids"])
        for module in list(self._model)[1:]:
            features = module(features)
        vectors: Vectors = features["sentence_embedding"][:count].float().cpu().numpy()
        return vectors

    def _transformed(self, rows: dict[str, torch.Tensor]) -> torch.Tensor:
        if self._bert is not None:
            return self._bert(rows["input_ids"])
        with torch.autocast(self._device, dtype=self._half, enabled=self._half != torch.float32):
            states: torch.Tensor = self._model[0]({**rows, "modality": "text"})["token_embeddings"]
        return states


def reads_plain_text(model: Any) -> bool:
    """Whether the model is a transformer that takes a tokenizer's output as it is, with modules after it: no chat
    template, no prompt in front, nothing cut off behind."""
    first = model[0]
    return (
        isinstance(first, Transformer)
        and isinstance(first.processor, PreTrainedTokenizerBase)
        and set(first.modality_config) == {"text"}
        and first.module_output_name == "token_embeddings"
        and not first.processing_kwargs
        and not model.prompts.get(model.default_prompt_name)
        and model.truncate_dim is None
        and model.get_backend() == "torch"
    )


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of equal length, as few at a time as make up the budget; a row of no tokens is in no batch."""
    buckets: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        buckets.setdefault(length, []).append(place)
    for length, places in sorted(buckets.items()):
        size = -(-budget // max(length, 1))
        yield from (places[at : at + size] for at in range(0, len(places), size) if length)


def unit(vectors: Vectors) -> Vectors:
    """Each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
