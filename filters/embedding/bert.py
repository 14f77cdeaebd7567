"""BERT's forward pass over rows of one length, for a CPU: what MiniLM, BGE, E5 and GTE are.

The same numbers as transformers' own up to rounding. Query, key and value are one product; matrices and what they are
multiplied with are `half` (bfloat16 where the processor multiplies it), everything else stays float32.
"""

from typing import Any

import torch
from torch.nn.functional import embedding, gelu, layer_norm, linear, pad, scaled_dot_product_attention

LANES = 16
"""float32 numbers in the widest vector of a processor; where vectors are narrower it is still a multiple. torch takes
the softmax of a row that is no multiple of it partly number by number, most of attention's work for a dozen tokens."""

Affine = tuple[torch.Tensor, torch.Tensor]
"""Weight and bias."""


class Bert:
    def __init__(self, model: Any, half: torch.dtype) -> None:
        self._half = half
        self._heads: int = model.config.num_attention_heads
        self._epsilon: float = model.config.layer_norm_eps
        first = model.embeddings
        self._words = first.word_embeddings.weight.detach()
        self._places = (first.position_embeddings.weight + first.token_type_embeddings.weight[0]).detach()
        self._norm = _affine(first.LayerNorm)
        self._layers = [self._layer(layer) for layer in model.encoder.layer]

    @classmethod
    def reads(cls, model: Any) -> bool:
        """Whether `model` is an encoder that this class computes."""
        from transformers import BertModel

        config = model.config
        plain = type(model) is BertModel and config.hidden_act == "gelu" and not config.is_decoder
        return plain and getattr(config, "position_embedding_type", None) in (None, "absolute")

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """ids (rows, time), no padding among them; the last layer's (rows, time, width) in float32."""
        rows, time = ids.shape
        hidden = embedding(ids, self._words) + self._places[:time]
        states = self._normed(hidden, self._norm).view(rows * time, -1)
        for merged, out, up, down, after_attention, after_all in self._layers:
            mixed = self._attention(linear(states.to(self._half), *merged).view(rows, time, 3, self._heads, -1))
            states = self._normed(states + linear(mixed, *out), after_attention)
            wide = gelu(linear(states.to(self._half), *up))
            states = self._normed(states + linear(wide, *down), after_all)
        return states.view(rows, time, -1)

    def _attention(self, merged: torch.Tensor) -> torch.Tensor:
        """merged (rows, time, 3, heads, size); (rows * time, heads * size). A mask hides the keys that fill up the last
        vector, so they change nothing."""
        rows, time = merged.shape[:2]
        room = -time % LANES
        query, key, value = merged.permute(2, 0, 3, 1, 4)
        hidden = None
        if room:
            key, value = pad(key, (0, 0, 0, room)), pad(value, (0, 0, 0, room))
            hidden = torch.zeros(1, 1, 1, time + room, dtype=merged.dtype)
            hidden[..., time:] = -torch.inf
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=hidden)
        return mixed.transpose(1, 2).reshape(rows * time, -1)

    def _normed(self, states: torch.Tensor, norm: Affine) -> torch.Tensor:
        return layer_norm(states, states.shape[-1:], *norm, self._epsilon)

    def _layer(self, layer: Any) -> tuple[Affine, ...]:
        attention = layer.attention
        parts = [_affine(part) for part in (attention.self.query, attention.self.key, attention.self.value)]
        merged = torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])
        others = (_affine(part) for part in (attention.output.dense, layer.intermediate.dense, layer.output.dense))
        # A transposed copy, seen transposed: the product reads it in the order in which it lies in memory.
        matrices = [(w.T.to(self._half).contiguous().T, bias.to(self._half)) for w, bias in (merged, *others)]
        return *matrices, _affine(attention.output.LayerNorm), _affine(layer.output.LayerNorm)


def _affine(layer: Any) -> Affine:
    return layer.weight.detach(), layer.bias.detach()
