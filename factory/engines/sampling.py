"""Sampling where each row of a batch has its own settings and its own random numbers.

Logits have the shape (batch, vocabulary).
"""

import random
from collections.abc import Sequence
from typing import cast

import torch
from transformers import LogitsProcessor

from tuneworks.factory.engine import Request

NUCLEUS = 512
"""Top-p looks at this many of the likeliest tokens first; rows whose nucleus is larger are sorted in full."""


class SeededSampling(LogitsProcessor):
    """Samples each row with its own temperature, top-p, presence penalty and seed, by leaving one token possible.

    One uniform number a row and step, from the row's own generator, picks by the inverse of the cumulative
    distribution; so a row's choice does not depend on how many rows stand beside it, only its rounding does.
    """

    def __init__(self, requests: Sequence[Request], prompt_width: int) -> None:
        self._width = prompt_width
        self._random = [random.Random(r.seed) for r in requests]
        self._temperature = torch.tensor([r.temperature for r in requests])[:, None]
        self._top_p = torch.tensor([r.top_p for r in requests])[:, None]
        self._penalty = torch.tensor([r.presence_penalty for r in requests])[:, None]

    def keep(self, places: list[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._random = [self._random[place] for place in places]
        self._temperature, self._top_p = self._temperature[places], self._top_p[places]
        self._penalty = self._penalty[places]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        logits = scores.float()
        device = logits.device
        if bool(self._penalty.any()):
            said = torch.zeros_like(logits).scatter_(1, input_ids[:, self._width :], 1.0)
            logits = logits - said * self._penalty.to(device)
        chosen = logits.argmax(dim=-1)
        hot = self._temperature[:, 0] > 0
        uniform = torch.tensor([rng.random() for rng in self._random], dtype=torch.float64)
        if bool(hot.any()):
            rows = hot.nonzero()[:, 0].to(device)
            warm = logits[rows] / self._temperature.to(device)[rows]
            chosen[rows] = pick(warm, self._top_p.to(device)[rows], uniform.to(device)[rows])
        only = torch.full_like(scores, float("-inf"))
        return cast(torch.FloatTensor, only.scatter_(1, chosen[:, None], 0.0))


def pick(logits: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The token at quantile `uniform` of each row's nucleus: the likeliest tokens that hold `top_p`."""
    probabilities = torch.softmax(logits, dim=-1)
    likeliest, tokens = probabilities.topk(min(NUCLEUS, logits.shape[-1]), dim=-1)
    chosen = _at_quantile(likeliest, tokens, top_p, uniform)
    wide = likeliest.double().sum(dim=-1) < top_p[:, 0]
    if bool(wide.any()):  # those rows alone, for a sort puts equals in another order than topk does
        likeliest, tokens = probabilities[wide].sort(dim=-1, descending=True)
        chosen[wide] = _at_quantile(likeliest, tokens, top_p[wide], uniform[wide])
    return chosen


def _at_quantile(
    likeliest: torch.Tensor, tokens: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor
) -> torch.Tensor:
    """`likeliest` are falling probabilities, (rows, places), and `tokens` whose they are."""
    mass = likeliest.double().cumsum(dim=-1)
    inside = (mass - likeliest) < top_p  # the token that crosses the line is still in
    inside[:, 0] = True
    total = torch.where(inside, mass, 0.0).amax(dim=-1)
    place = torch.searchsorted(mass, (uniform * total)[:, None], right=True)
    place = torch.minimum(place, inside.sum(dim=-1, keepdim=True) - 1)
    return tokens.gather(1, place)[:, 0]
