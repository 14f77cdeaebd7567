"""Attention over shared key heads and the growing cache, against the plain computation."""

import pytest
import torch
from transformers import DynamicCache, LlamaConfig
from transformers.cache_utils import DynamicLayer

from tuneworks.factory.engines.attention import ROOM, GrowingLayer, grouped_attention, growing_cache

SIZE = 8


def plain(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> torch.Tensor:
    """(batch, time, heads, size), each key head repeated for the query heads that share it."""
    groups = query.shape[1] // key.shape[1]
    keys, values = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = query @ keys.transpose(-1, -2) * scaling
    weights = (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1)
    return (weights @ values).transpose(1, 2)


class Heads(torch.nn.Module):
    """What transformers' attention wants to know of a layer."""

    is_causal = True

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.num_key_value_groups = groups


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scaling", [SIZE**-0.5, 0.7])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("heads", "key_heads"), [(6, 2), (4, 1), (3, 3)])
def test_one_step_of_grouped_attention(heads: int, key_heads: int, masked: bool, scaling: float) -> None:
    query = drawn(3, heads, 1, SIZE, seed=0)
    key, value = drawn(3, key_heads, 11, SIZE, seed=1), drawn(3, key_heads, 11, SIZE, seed=2)
    mask = torch.ones(3, 1, 1, 11, dtype=torch.bool) if masked else None
    if mask is not None:
        mask[1, ..., :5] = False
    out, weights = grouped_attention(Heads(heads // key_heads), query, key, value, mask, scaling=scaling)
    torch.testing.assert_close(out, plain(query, key, value, mask, scaling), atol=1e-6, rtol=1e-5)
    assert weights is None


def test_a_mask_for_every_head() -> None:
    query, key, value = (drawn(2, n, t, SIZE, seed=n) for n, t in ((4, 1), (2, 5), (2, 5)))
    mask = torch.tensor([True, False, True, True, False]).expand(2, 1, 1, 5)
    out, _ = grouped_attention(Heads(2), query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(out, plain(query, key, value, mask, 0.3), atol=1e-6, rtol=1e-5)


def test_many_positions_are_causal() -> None:
    query, key, value = (drawn(2, n, 7, SIZE, seed=n) for n in (4, 2, 2))
    mask = torch.ones(7, 7, dtype=torch.bool).tril().expand(2, 1, 7, 7)
    out, _ = grouped_attention(Heads(2), query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(out, plain(query, key, value, mask, 0.3), atol=1e-6, rtol=1e-5)


def test_a_layer_grows_as_transformers_own_does() -> None:
    """Over more positions than a buffer has room for, with rows repeated and selected on the way."""
    ours, theirs = GrowingLayer(), DynamicLayer()
    batch, held = 1, 0
    for step, count in enumerate([5, 1, 1, ROOM + 3, 1, 1]):
        key, value = drawn(batch, 2, count, SIZE, seed=step), drawn(batch, 2, count, SIZE, seed=100 + step)
        got, expected = ours.update(key, value), theirs.update(key, value)
        held += count
        assert got[0].shape == (batch, 2, held, SIZE)
        for mine, other in zip(got, expected, strict=True):
            assert torch.equal(mine, other)
        assert ours.get_seq_length() == held
        if step == 1:
            ours.batch_repeat_interleave(3)
            theirs.batch_repeat_interleave(3)
            batch = 3
        if step == 4:
            index = torch.tensor([2, 0, 0, 1])
            ours.batch_select_indices(index)
            theirs.batch_select_indices(index)
            batch = 4
    assert ours.get_seq_length() == theirs.get_seq_length()


def test_rows_that_were_copied_do_not_share_memory() -> None:
    layer = GrowingLayer()
    layer.update(drawn(1, 2, 3, SIZE, seed=0), drawn(1, 2, 3, SIZE, seed=1))
    layer.batch_repeat_interleave(2)
    new = torch.stack([torch.zeros(2, 1, SIZE), torch.ones(2, 1, SIZE)])
    keys, _ = layer.update(new, new)
    assert torch.equal(keys[0, :, :3], keys[1, :, :3])
    assert torch.equal(keys[:, :, 3:], new)


def test_sliding_layers_stay_as_they_are() -> None:
    config = LlamaConfig(num_hidden_layers=2, hidden_size=16, num_attention_heads=2)
    assert [type(layer) for layer in growing_cache(config).layers] == [GrowingLayer] * 2
    config.layer_types = ["full_attention", "sliding_attention"]
    config.sliding_window = 4
    ours, theirs = growing_cache(config).layers, DynamicCache(config=config).layers
    assert type(ours[0]) is GrowingLayer
    assert type(ours[1]) is type(theirs[1])
