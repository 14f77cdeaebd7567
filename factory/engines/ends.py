"""Where the rows of a batch end, and when it is worth going on without those that have ended.

Tokens have the shape (batch, time): the prompts, `width` wide, then the replies.
"""

import threading
from collections.abc import Sequence
from typing import Any, cast

import torch
from transformers import StoppingCriteria

from tuneworks.factory.engine import Request

STOP_TAIL = 24
"""Tokens decoded to look for a stop text that has just been completed."""

WORTH_DROPPING = 8
"""One row of so many ended: from then on dropping them takes less than reading on with them."""


class Ends(StoppingCriteria):
    """Ends a row at a token in `enders`, a stop text or its own limit, and all rows when everything must stop.

    It breaks decoding off when enough rows have ended; `take` then says which rows go on, and these alone are in the
    batch from then on. When that is hangs on the rows of the batch alone.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        limits: Sequence[int],
        tokenizer: Any,
        enders: set[int],
        width: int,
        stop: threading.Event,
    ) -> None:
        self._requests, self._limits, self._tokenizer, self._enders = requests, limits, tokenizer, enders
        self._width, self._stop = width, stop
        self._rows = list(range(len(requests)))
        """Which row stands at each place of the batch."""
        self._lengths: dict[int, int] = {}
        """Tokens of each row that has ended; what follows is padding."""
        self.replies: list[list[int]] = [[] for _ in requests]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: object) -> torch.BoolTensor:
        made = input_ids.shape[1] - self._width
        last = input_ids[:, -1].tolist()
        going_on = self._going_on()
        said = self._said(input_ids, going_on)
        for place in going_on:
            row = self._rows[place]
            if last[place] in self._enders or place in said or made >= self._limits[row] or self._stop.is_set():
                self._lengths[row] = made
        ended = [row in self._lengths for row in self._rows]
        enough = sum(ended) * WORTH_DROPPING >= len(ended)
        return cast(torch.BoolTensor, torch.tensor([enough] * len(ended), device=input_ids.device))

    def _said(self, input_ids: torch.Tensor, places: list[int]) -> set[int]:
        """The places whose stop text was completed."""
        watched = [place for place in places if self._requests[self._rows[place]].stop]
        if not watched:
            return set()
        tails = self._tokenizer.batch_decode(input_ids[watched, self._width :][:, -STOP_TAIL:].tolist())
        stops = (self._requests[self._rows[place]].stop for place in watched)
        beside = zip(watched, tails, stops, strict=True)
        return {place for place, tail, texts in beside if any(text in tail for text in texts)}

    def _going_on(self) -> list[int]:
        return [place for place, row in enumerate(self._rows) if row not in self._lengths]

    def left(self, ids: torch.Tensor) -> int:
        """Most tokens that a row of the batch may still say."""
        return max(self._limits[row] for row in self._rows) - (ids.shape[1] - self._width)

    def take(self, ids: torch.Tensor) -> list[int]:
        """Keep what the rows that have ended said; the places of the others, which alone are in the batch now."""
        for place, row in enumerate(self._rows):
            if row in self._lengths:
                self.replies[row] = ids[place, self._width :][: self._lengths[row]].tolist()
        going_on = self._going_on()
        self._rows = [self._rows[place] for place in going_on]
        return going_on
