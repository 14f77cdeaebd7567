"""Attention over a pack: each text sees its own tokens alone, wherever in the pack they lie.

Texts of about one length that share as many first tokens go through one call, padded on the right, where under a causal
mask nothing looks.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from tuneworks.factory.engines.attention import grouped_attention
from tuneworks.factory.engines.scoring_packs import Pack

NAME = "tuneworks_packed"

WIDTH = 16
"""Lengths that round up to the same multiple of it share a call."""

MOST_MASKED = 1024
"""Most own tokens of a text with a shared beginning for which a mask is made, tokens by tokens large; a longer one asks
for its shared tokens' attention again, which takes no mask."""


@dataclass(frozen=True, slots=True)
class Block:
    """Texts whose attention is one call. n is how many tokens they lay down, all together."""

    seen: torch.Tensor
    """(texts, longest): where their tokens lie in the pack."""
    start: int
    """The first column that asks; those before are shared and only looked at."""
    mask: torch.Tensor | None
    """(longest - start, longest), added to the scores; none where all columns ask."""
    laid: torch.Tensor
    """(n,): where in the pack the outputs go."""
    taken: torch.Tensor
    """(n,): and where among texts x (longest - start) outputs they are."""


def register() -> str:
    """Make the attention known to transformers; its name."""
    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    blocks: list[Block] | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """query (1, heads, time, size), key and value (1, key heads, time, size). Without `blocks` an ordinary call."""
    if blocks is None:
        return grouped_attention(module, query, key, value, attention_mask, scaling=scaling, **others)
    asks, keys, values = (part[0].transpose(0, 1) for part in (query, key, value))
    out = torch.empty(asks.shape, dtype=asks.dtype, device=asks.device)
    for block in blocks:
        made = scaled_dot_product_attention(
            asks[block.seen[:, block.start :]].transpose(1, 2),
            keys[block.seen].transpose(1, 2),
            values[block.seen].transpose(1, 2),
            attn_mask=block.mask,
            is_causal=block.mask is None,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        out[block.laid] = made.transpose(1, 2).flatten(0, 1)[block.taken]
    return out[None], None


def blocks_of(pack: Pack, dtype: torch.dtype, device: str) -> list[Block]:
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at, (seen, shared) in enumerate(zip(pack.seen, pack.shared, strict=True)):
        if len(seen) > shared:  # else the text before it begins with all of it
            alike[shared, -(-len(seen) // WIDTH)].append(at)
    return [_block(pack, rows, shared, dtype, device) for (shared, _), rows in alike.items()]


def _block(pack: Pack, rows: list[int], shared: int, dtype: torch.dtype, device: str) -> Block:
    longest = max(len(pack.seen[at]) for at in rows)
    masked = shared > 0 and longest - shared <= MOST_MASKED
    start = shared if masked else 0
    seen = torch.zeros((len(rows), longest), dtype=torch.long)
    laid: list[int] = []
    taken: list[int] = []
    for row, at in enumerate(rows):
        places = pack.seen[at]
        seen[row, : len(places)] = torch.tensor(places)
        laid += places[shared:]
        first = row * (longest - start) - start
        taken += range(first + shared, first + len(places))
    mask = torch.full((longest - start, longest), -torch.inf, dtype=dtype).triu(start + 1) if masked else None
    return Block(
        seen.to(device),
        start,
        mask.to(device) if mask is not None else None,
        torch.tensor(laid, device=device),
        torch.tensor(taken, device=device),
    )
