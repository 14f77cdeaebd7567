"""How many nats a model needs for given texts: what perplexity is made of.

Texts are packed (scoring_packs.py): no padding, common beginnings read once. The output head runs on scored tokens
alone (scoring_head.py). A pack is a function of the rows that are given together, whatever order they come in.

An architecture whose layers mix tokens in another way than attention, or whose head is not one matrix, would give other
numbers so; a model is therefore tried on a few texts when it is loaded, and reads text by text if they differ.

The model may be one that writes, too: it attends in packs only while it scores.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import torch

from tuneworks.factory.engine import Loss
from tuneworks.factory.engines.decoding import Model, shared
from tuneworks.factory.engines.scoring_attention import blocks_of, register
from tuneworks.factory.engines.scoring_head import surprisals
from tuneworks.factory.engines.scoring_packs import Pack, packs
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Message

TOKENS = 1024
"""Most tokens of a pack on a CPU; beyond it nothing gets faster there."""

GPU_TOKENS = 32_768

LONGEST = 16_384
"""Most tokens of one text, whatever the model could read: attention costs their square."""

SAME = 0.1
"""Nats a token by which packed texts may differ from single ones on trial: bfloat16's rounding, and no more."""

TRIAL = (
    ("Name a fish.", "A carp lives in ponds and slow rivers, where it looks for food in the mud."),
    ("Name a bird.", "The heron stands in shallow water and waits, without moving, for a fish or a frog."),
)


@dataclass(frozen=True, slots=True)
class Given:
    """A text to be scored, token by token, after a context that is not."""

    context: list[int]
    text: list[int]

    def __len__(self) -> int:
        return len(self.context) + len(self.text)


class Likelihood:
    """Scores texts with one model. The chat template is used, and every row is tokenised once."""

    def __init__(self, scored_with: Model) -> None:
        self._model = scored_with
        model, self._prompts = self._model.model, self._model.prompts
        self.longest = min(self._model.longest, LONGEST)
        """Most tokens of context and text together."""
        self._widest = max(map(len, self._model.tokenizer.get_vocab()))
        self._budget = TOKENS if self._model.device == "cpu" else GPU_TOKENS
        self._window: int = getattr(model.config, "sliding_window", None) or self.longest
        if not self._packs_right():
            self._window = 0

    def answer(self, prompt: Sequence[Message], text: str) -> Given | None:
        """An answer after its prompt, as the chat template lays them out; null where both have so many characters that
        the model cannot read them. Raises EngineError where the template refuses the prompt."""
        if len(text) + sum(len(m.content) for m in prompt) > self.longest * self._widest:
            return None
        return Given(*self._prompts.given(prompt, text))

    def readable(self, prompt: Sequence[Message], text: str) -> Given:
        """As `answer`; raises EngineError, too, where the model cannot read so much or there is nothing to read."""
        given = self.answer(prompt, text)
        if given is None or len(given) > self.longest:
            raise EngineError(f"prompt and answer are longer than the {self.longest} tokens the model reads")
        if not given.text:
            raise EngineError("the answer has no tokens that could be scored")
        return given

    def alone(self, given: Given) -> Given:
        """The same answer after nothing but the template's sign that an answer begins."""
        return Given(self._prompts.header, given.text)

    def losses(self, rows: Sequence[Given], done: Callable[[int], None] = lambda n: None) -> list[Loss]:
        """In the order of `rows`, none of them longer than `longest` or without text; `done` is told of each batch."""
        with self._model.attending(register() if self._window else None):
            return self._losses(rows, done)

    def _losses(self, rows: Sequence[Given], done: Callable[[int], None]) -> list[Loss]:
        losses: dict[int, Loss] = {}
        packed = [at for at, row in enumerate(rows) if len(row) <= self._window]
        for pack in packs([rows[at].context + rows[at].text for at in packed], self._budget):
            places = [packed[row] for row in pack.rows]
            nats = self._of_pack(pack, [rows[at] for at in places])
            losses |= {at: Loss(n, len(rows[at].text)) for at, n in zip(places, nats, strict=True)}
            done(len(places))
        for at, row in enumerate(rows):
            if at not in losses:
                losses[at] = Loss(self._of_one(row), len(row.text))
                done(1)
        return [losses[at] for at in range(len(rows))]

    @torch.inference_mode()
    def _of_pack(self, pack: Pack, rows: Sequence[Given]) -> list[float]:
        model, device = self._model.model, self._model.device
        states = model.base_model(
            input_ids=torch.tensor([pack.tokens], device=device),
            position_ids=torch.tensor([pack.positions], device=device),
            attention_mask=torch.zeros((1, 1, 1, 1), device=device),  # of four dimensions: left as it is
            use_cache=False,
            blocks=blocks_of(pack, model.dtype, device),
        ).last_hidden_state[0]
        before = [seen[len(row.context) - 1 : -1] for seen, row in zip(pack.seen, rows, strict=True)]
        said = torch.tensor([token for row in rows for token in row.text], device=device)
        states = states[torch.tensor([place for places in before for place in places], device=device)]
        nats = surprisals(states, said, model.get_output_embeddings())
        return [float(part.sum()) for part in nats.split([len(row.text) for row in rows])]

    @torch.inference_mode()
    def _of_one(self, row: Given) -> float:
        ids = torch.tensor([row.context + row.text], device=self._model.device)
        logits = self._model.model(input_ids=ids, use_cache=False, logits_to_keep=len(row.text) + 1).logits[0, :-1]
        return nats_of(logits, row.text)

    def _packs_right(self) -> bool:
        """Whether packs give what the model gives by its own attention. Attention that transformers cannot compute as
        SDPA has what ours leaves out, such as gpt-oss's sinks."""
        return bool(self._model.model._supports_sdpa) and self._trial()

    def _trial(self) -> bool:
        rows = [self.answer([Message("user", asked)], text) for asked, text in TRIAL]
        trial = [row for row in rows if row is not None]
        trial = [row for row in (*trial, *map(self.alone, trial)) if len(row) <= self._window]
        with self._model.attending():
            alone = [self._of_one(row) for row in trial]
        try:
            made = self.losses(trial)
            with self._model.attending():
                plain = bool(trial) and self._head_is_plain(trial[0])
        except (TypeError, ValueError, AttributeError, RuntimeError, IndexError):
            return False
        return plain and all(
            abs(loss.nats - nats) <= SAME * loss.tokens for loss, nats in zip(made, alone, strict=True)
        )

    @torch.inference_mode()
    def _head_is_plain(self, row: Given) -> bool:
        """Whether the head's matrix is all of the last step: some models cap or scale what comes out of it."""
        model, ids = self._model.model, torch.tensor([row.context + row.text], device=self._model.device)
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        made, whole = model.get_output_embeddings()(states), model(input_ids=ids, use_cache=False).logits
        return torch.allclose(made.float(), whole.float(), rtol=1e-2, atol=1e-2)


_scorers: "WeakValueDictionary[int, Likelihood]" = WeakValueDictionary()
_one_tries = threading.Lock()


def likelihood(name: str) -> Likelihood:
    """Scores with the model of this name: the same one for all who hold it at the same time."""
    model = shared(name)
    with _one_tries:
        scorer = _scorers.get(id(model))  # a scorer holds its model, so no other can have this id
        if scorer is None:
            scorer = _scorers[id(model)] = Likelihood(model)
        return scorer


def nats_of(logits: torch.Tensor, tokens: list[int]) -> float:
    """`logits` are (tokens, vocabulary), each row those before its token; the sum is taken in float32."""
    said = torch.tensor(tokens, device=logits.device)[:, None]
    return sum(
        float((torch.logsumexp(part, dim=-1) - part.gather(1, token)[:, 0]).sum())
        for part, token in ((rows.float(), at) for rows, at in zip(logits.split(64), said.split(64), strict=True))
    )
