"""A model that learns from one trial's tokens, is measured on held-out rows, and forgets them again."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from peft import get_peft_model
from torch.nn.functional import cross_entropy

from tuneworks.factory.engines.decoding import device_and_dtype
from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.weights import Say, loading, prepare
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trials.lessons import Encoded, Piece
from tuneworks.trainers.tuning import tuning_config

Read = Callable[[int], None]
"""Told how many tokens were read just now."""

BACKWARD = 3
"""What a token costs that is learned from, in tokens that are only read."""

LARGEST_GRADIENT = 1.0

PACK = 1024
"""Tokens that are read at once."""

ALIKE = 0.02
"""By which share the loss of a row behind another one may differ from that of the row alone: rounding."""


class Part(NamedTuple):
    """A row, or its beginning; its tokens from `first` on are in the loss."""

    tokens: Sequence[int]
    first: int


class Learner:
    def __init__(self, model: str, say: Say) -> None:
        self.device, dtype = device_and_dtype()
        # Without bfloat16 in float32: gradients of float16 vanish.
        weights = dtype if dtype == torch.bfloat16 else torch.float32
        with loading(f"the model {model}"):
            loaded: Any = load_model(prepare(model, say), {"dtype": weights}, merged=True)
        self._base: Any = loaded.to(self.device).eval().requires_grad_(False)
        self._base.config.use_cache = False
        self._packs = self._reads_packs()

    def losses(self, rows: Sequence[Encoded], read: Read) -> list[float]:
        """Of the model as it comes: the mean loss of each row's answer tokens."""
        return self._measured(self._base.eval(), rows, read)

    def trial(
        self,
        rows: Sequence[Encoded],
        steps: Sequence[Sequence[Piece]],
        held_out: Sequence[Encoded],
        seed: int,
        read: Read,
    ) -> tuple[list[float], list[float]]:
        """Learn the steps with a new adapter, measure, and take it off again: the loss of each step, and of each
        held-out row. Trials of one seed begin with the same adapter."""
        torch.manual_seed(seed)
        model: Any = get_peft_model(self._base, tuning_config("lora", {}))
        try:
            learned = self._learn(model.train(), rows, steps, read)
            return learned, self._measured(model.eval(), held_out, read)
        finally:
            self._base = model.unload()

    def _learn(self, model: Any, rows: Sequence[Encoded], steps: Sequence[Sequence[Piece]], read: Read) -> list[float]:
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        rate = Sft.learning_rate["lora"]
        optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
        losses = []
        for at, pieces in enumerate(steps):
            count, total = sum(piece.end - piece.first for piece in pieces), 0.0
            for pack in self._packed([Part(rows[p.row].tokens[: p.end], p.first) for p in pieces]):
                loss = torch.stack(self._losses(model, pack)).sum() / count
                loss.backward()
                total += float(loss.detach())
                read(BACKWARD * sum(len(part.tokens) for part in pack))
            if not math.isfinite(total):
                raise TuneworksError(
                    f"the loss at step {at + 1} is {total}, so what was learned is lost; name another model with "
                    "--model"
                )
            torch.nn.utils.clip_grad_norm_(weights, LARGEST_GRADIENT)
            optimizer.param_groups[0]["lr"] = rate * (1 - at / len(steps))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(total)
        return losses

    @torch.no_grad()
    def _measured(self, model: Any, rows: Sequence[Encoded], read: Read) -> list[float]:
        found: list[float] = []
        for pack in self._packed([Part(row.tokens, row.start) for row in rows]):
            for loss, part in zip(self._losses(model, pack), pack, strict=True):
                found.append(float(loss) / (len(part.tokens) - part.first))
            read(sum(len(part.tokens) for part in pack))
        return found

    def _losses(self, model: Any, pack: Sequence[Part]) -> list[torch.Tensor]:
        """The summed loss of each part. They lie one behind the other; transformers tells by their positions that they
        are rows of their own. Logits are made of the tokens in the loss alone."""
        begins = list(accumulate((len(part.tokens) for part in pack), initial=0))
        learned = [range(at + part.first, end) for part, (at, end) in zip(pack, pairwise(begins), strict=True)]
        row = self._tensor(token for part in pack for token in part.tokens)
        positions = self._tensor(place for part in pack for place in range(len(part.tokens)))
        places = self._tensor(place for places in learned for place in places)
        with torch.autocast(self.device, torch.bfloat16, enabled=self._base.dtype == torch.bfloat16):
            logits = model(input_ids=row[None], position_ids=positions[None], logits_to_keep=places - 1).logits
        each = cross_entropy(logits[0].float(), row[places], reduction="none")
        return [losses.sum() for losses in each.split([len(places) for places in learned])]

    def _tensor(self, numbers: Iterable[int]) -> torch.Tensor:
        return torch.tensor(list(numbers), device=self.device)

    def _packed(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        """Parts in their order, as many together as are read at once."""
        pack: list[Part] = []
        for part in parts:
            if pack and not (self._packs and sum(len(p.tokens) for p in pack) + len(part.tokens) <= PACK):
                yield pack
                pack = []
            pack.append(part)
        if pack:
            yield pack

    @torch.no_grad()
    def _reads_packs(self) -> bool:
        """Whether a row behind another is read as if alone: not every architecture minds the positions."""
        first, second = Part(range(5, 45), 1), Part(range(60, 120), 1)
        alone, behind = self._losses(self._base, [second])[0], self._losses(self._base, [first, second])[1]
        return abs(float(behind / alone) - 1) < ALIKE
