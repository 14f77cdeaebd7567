"""Attention over a pack against attention over each text."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from tuneworks.factory.engines import scoring_attention
from tuneworks.factory.engines.scoring_attention import blocks_of, packed_attention
from tuneworks.factory.engines.scoring_packs import packs

MODULE = torch.nn.Identity()


def agrees(texts: list[list[int]], key_heads: int) -> None:
    (pack,) = packs(texts, 100_000)
    # What a token asks, offers and holds is a function of it and its place, as it is in the first layer of a model.
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(3, 4, 2, 64, 8, generator=generator)
    at, said = torch.tensor(pack.positions), torch.tensor(pack.tokens)
    query, key, value = (
        part[:heads, said, at][None] for part, heads in zip(bank, (4, key_heads, key_heads), strict=True)
    )
    made, _ = packed_attention(MODULE, query, key, value, None, blocks=blocks_of(pack, torch.float32, "cpu"))
    for row, seen in zip(pack.rows, pack.seen, strict=True):
        own = [part[:, :, seen] for part in (query, key, value)]
        alone = scaled_dot_product_attention(*own, is_causal=True, enable_gqa=True)[0].transpose(0, 1)
        assert torch.allclose(made[0, seen], alone, atol=1e-5), texts[row]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=40), min_size=1, max_size=8), st.sampled_from([1, 2, 4])
)
def test_each_text_sees_its_own_tokens_alone(texts: list[list[int]], key_heads: int) -> None:
    agrees(texts, key_heads)


def test_a_long_text_asks_for_what_it_shares_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_attention, "MOST_MASKED", 4)
    texts = [[0] * 10 + [1] * 3, [0] * 10 + [1, 0, 1, 1, 0, 0, 1], [0] * 12 + [1] * 9]
    (pack,) = packs(texts, 1000)
    assert {block.mask is None for block in blocks_of(pack, torch.float32, "cpu")} == {True, False}
    agrees(texts, 2)
