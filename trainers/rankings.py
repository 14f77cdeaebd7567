"""Losses of one ranking: the scores of K answers to one prompt, and the rewards that say which is better.

Both have the shape (K,). Answers of equal rewards are no pair: who is better was not said.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu


def pairs(rewards: Tensor) -> tuple[Tensor, Tensor]:
    """The places of the better and of the worse answer of every pair of different rewards; shapes (pairs,)."""
    better, worse = torch.nonzero(rewards[:, None] > rewards[None, :], as_tuple=True)
    return better, worse


def bradley_terry(scores: Tensor, rewards: Tensor, margin: float | Tensor = 0.0) -> Tensor:
    """Mean over all pairs of the ranking, as in InstructGPT (2203.02155); `margin` as in Llama 2 (2307.09288).

    ln 2 at equal scores without a margin. Of two answers it is what TRL's RewardTrainer computes.
    """
    better, worse = pairs(rewards)
    return -logsigmoid(scores[better] - scores[worse] - margin).mean()


def plackett_luce(scores: Tensor, rewards: Tensor) -> Tensor:
    """Negative log-likelihood of the order: the best is drawn first, then the best of the rest.

    ln K! at equal scores. Of answers that tie each is drawn while the others are still there (Breslow's way).
    """
    still_there = rewards[None, :] <= rewards[:, None]
    rest = scores[None, :].expand_as(still_there).masked_fill(~still_there, -torch.inf)
    return (torch.logsumexp(rest, dim=1) - scores).sum()


def squared_error(scores: Tensor, rewards: Tensor) -> Tensor:
    """Each answer for itself; 1 for scores of zero when the rewards are standardised."""
    return (scores - rewards).square().mean()


def rrhf(log_probs: Tensor, rewards: Tensor) -> Tensor:
    """Ranking loss of RRHF (2304.05302), from log-probabilities per token: the sum of what pairs are wrong by."""
    better, worse = pairs(rewards)
    return relu(log_probs[worse] - log_probs[better]).sum()


def slic(log_probs: Tensor, rewards: Tensor, delta: float) -> Tensor:
    """Rank calibration of SLiC-HF (2305.10425), from log-probabilities of whole answers: mean over the pairs."""
    better, worse = pairs(rewards)
    return relu(delta - log_probs[better] + log_probs[worse]).mean()


def accuracy(scores: Tensor, rewards: Tensor) -> float:
    """Share of the pairs whose better answer has the higher score; a tie of scores is no success."""
    better, worse = pairs(rewards)
    return float((scores[better] > scores[worse]).float().mean())
