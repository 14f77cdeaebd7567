"""How many nats a model needs for given texts: what perplexity is made of.

Rows are sorted by length, put into batches under a budget of tokens, and padded on the left, so that all answers of a
batch end in its last columns: the output head, a fifth of a small model's work, runs on those columns alone. A batch is
a function of the rows alone, whatever order they come in.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tuneworks.factory.engines.decoding import Model
from tuneworks.factory.record import Message

TOKENS = 1024
"""Most tokens of a batch on a CPU, padding included; beyond it nothing gets faster there."""

GPU_TOKENS = 32_768


@dataclass(frozen=True, slots=True)
class Given:
    """A text to be scored, token by token, after a context that is not."""

    context: list[int]
    text: list[int]

    def __len__(self) -> int:
        return len(self.context) + len(self.text)


@dataclass(frozen=True, slots=True)
class Loss:
    """The negative log-likelihood of a text, summed over its tokens, in nats."""

    nats: float
    tokens: int

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.nats / self.tokens, 700.0))


class Likelihood:
    """Scores texts with one model. The chat template is used, and every row is tokenised once."""

    def __init__(self, name: str) -> None:
        self._model = Model(name)
        config = self._model.model.config
        self.longest: int = getattr(config, "max_position_embeddings", None) or 1_000_000
        self._budget = TOKENS if self._model.device == "cpu" else GPU_TOKENS
        self._header = self._generation_header()

    def answer(self, prompt: Sequence[Message], text: str) -> Given:
        """An answer after its prompt, as the chat template lays them out. The template ends where the answer begins,
        so the two are tokenised apart: as they are when the model writes."""
        turns = [{"role": m.role, "content": m.content} for m in prompt]
        laid_out = self._model.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return Given(self._tokens(laid_out), self._tokens(text))

    def alone(self, given: Given) -> Given:
        """The same answer after nothing but the template's sign that an answer begins."""
        return Given(self._header, given.text)

    def losses(self, rows: Sequence[Given], done: Callable[[int], None] = lambda n: None) -> list[Loss]:
        """In the order of `rows`, none of them longer than `longest` or without text; `done` is told of each batch."""
        losses: dict[int, Loss] = {}
        for batch in batches(rows, self._budget):
            nats = self._nats([rows[place] for place in batch])
            losses |= {at: Loss(n, len(rows[at].text)) for at, n in zip(batch, nats, strict=True)}
            done(len(batch))
        return [losses[place] for place in range(len(rows))]

    @torch.inference_mode()
    def _nats(self, rows: Sequence[Given]) -> list[float]:
        width, scored = max(map(len, rows)), max(len(r.text) for r in rows)
        ids = torch.full((len(rows), width), self._model.tokenizer.pad_token_id)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for at, row in enumerate(rows):
            ids[at, width - len(row) :] = torch.tensor(row.context + row.text)
            mask[at, width - len(row) :] = 1
        inputs: dict[str, Any] = {"input_ids": ids.to(self._model.device)}
        if bool((mask == 0).any()):  # without padding attention needs no mask, and is faster
            inputs["attention_mask"] = mask.to(self._model.device)
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0).to(self._model.device)
        out = self._model.model(**inputs, use_cache=False, logits_to_keep=scored + 1).logits
        return [nats_of(out[at, -len(row.text) - 1 : -1], row.text) for at, row in enumerate(rows)]

    def _tokens(self, text: str) -> list[int]:
        return list(self._model.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _generation_header(self) -> list[int]:
        turns = [{"role": "user", "content": "."}]
        template = self._model.tokenizer.apply_chat_template
        without = str(template(turns, tokenize=False))
        header = str(template(turns, tokenize=False, add_generation_prompt=True)).removeprefix(without)
        return self._tokens(header) or [self._model.tokenizer.eos_token_id]


def nats_of(logits: torch.Tensor, tokens: list[int]) -> float:
    """`logits` are (tokens, vocabulary), each row those before its token; the sum is taken in float32."""
    wide = logits.float()
    said = wide.gather(1, torch.tensor(tokens, device=wide.device)[:, None])[:, 0]
    return float((torch.logsumexp(wide, dim=-1) - said).sum())


def batches(rows: Sequence[Given], budget: int) -> Iterator[list[int]]:
    """Places in `rows`, the longest first, as many at a time as fit the budget when padded; a longer row goes alone."""
    order = sorted(range(len(rows)), key=lambda at: (-len(rows[at]), -len(rows[at].text), rows[at].text, at))
    batch: list[int] = []
    for at in order:
        if batch and (len(batch) + 1) * len(rows[batch[0]]) > budget:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
