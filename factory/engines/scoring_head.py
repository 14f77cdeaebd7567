"""The output head without its logits: a model's last step, for the tokens that are scored and no others.

A vocabulary's worth of logits for a batch is a hundred megabytes, and its logarithm of summed exponentials costs more
than the head itself. Cut along the vocabulary, each piece is used while the processor's cache still holds it, and
memory stays small however long the text.
"""

import torch
from torch.nn.functional import linear

PIECE = {"cpu": (512, 512), "cuda": (4096, 16_384)}
"""Tokens and words of the vocabulary at a time."""


def surprisals(hidden: torch.Tensor, tokens: torch.Tensor, head: torch.nn.Linear) -> torch.Tensor:
    """-log p of each token, in nats and float32, where `hidden` (tokens, size) is the state before it."""
    rows, _ = PIECE[hidden.device.type]
    pieces = zip(hidden.split(rows), tokens.split(rows), strict=True)
    return torch.cat([_piece(states, said, head) for states, said in pieces])


def _piece(hidden: torch.Tensor, tokens: torch.Tensor, head: torch.nn.Linear) -> torch.Tensor:
    _, words = PIECE[hidden.device.type]
    weights, biases = head.weight.split(words), head.bias.split(words) if head.bias is not None else None
    total = torch.full(tokens.shape, -torch.inf, device=hidden.device)
    for at, weight in enumerate(weights):
        logits = linear(hidden, weight, biases[at] if biases else None)
        total = torch.logaddexp(total, torch.logsumexp(logits.float(), dim=-1))
    said = (hidden.float() * head.weight[tokens].float()).sum(-1)
    return total - (said + head.bias[tokens].float() if head.bias is not None else said)
