"""Decoding on a CPU without copying the keys and values at every step.

transformers copies them twice a step: it appends by concatenation, and repeats each key head for all query heads that
share it. Here they grow inside a buffer, and the query heads of a group stand as query positions beside one key head.
The numbers are the same; benchmarks/generation.py says what it saves.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.configuration_utils import PreTrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "tuneworks_grouped"
ROOM = 128
"""Positions added when a buffer is full."""


def register() -> str:
    """Make the attention known to transformers; the name to load a model with."""
    AttentionInterface.register(NAME, grouped_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """query (batch, heads, 1, size), key and value (batch, key heads, time, size); else like transformers."""
    batch, heads, steps, size = query.shape
    if steps > 1 or key.shape[1] == heads:
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **others)
        return out, None
    groups = heads // key.shape[1]
    folded = query.reshape(batch, key.shape[1], groups, size)
    mask = None if attention_mask is None else attention_mask.expand(batch, 1, groups, key.shape[2])
    out = scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scaling)
    return out.reshape(batch, 1, heads, size), None


class GrowingLayer(DynamicLayer):
    """One layer's keys and values, (batch, key heads, time, size), at the front of a buffer with room behind."""

    _buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        total = held + key_states.shape[-2]
        if self._buffers is None or self._buffers[0].shape[-2] < total:
            self._buffers = (
                self._roomy(self.keys, key_states, total),
                self._roomy(self.values, value_states, total),
            )
        keys, values = self._buffers
        keys[:, :, held:total] = key_states
        values[:, :, held:total] = value_states
        self.keys, self.values = keys[:, :, :total], values[:, :, :total]
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._buffers = None

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        if self._buffers is None:
            super().batch_select_indices(indices)
            return
        held = self.get_seq_length()
        keys, values = self._buffers = (self._buffers[0][indices], self._buffers[1][indices])
        self.keys, self.values = keys[:, :, :held], values[:, :, :held]

    @staticmethod
    def _roomy(held: torch.Tensor | None, new: torch.Tensor, total: int) -> torch.Tensor:
        batch, heads, _, size = new.shape
        buffer = new.new_empty((batch, heads, total + ROOM, size))
        if held is not None and held.numel():
            buffer[:, :, : held.shape[-2]] = held
        return buffer


def growing_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache whose ordinary layers grow in place; sliding-window layers stay transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
