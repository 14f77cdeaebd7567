"""Seeded sampling against the distribution it must follow."""

from dataclasses import replace
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworks.factory.engine import Request
from tuneworks.factory.engines import sampling
from tuneworks.factory.engines.sampling import SeededSampling, pick

ASK = Request(())

rows = st.lists(st.integers(-80, 80), min_size=5, max_size=5, unique=True).map(lambda row: [n / 10 for n in row])
shares = st.sampled_from([1e-6, 0.3, 0.5, 0.9, 1.0])


def nucleus(logits: list[float], top_p: float) -> dict[int, float]:
    """Token -> probability, by the definition: the fewest likeliest tokens that hold `top_p`."""
    probabilities = torch.softmax(torch.tensor(logits), dim=-1).double().tolist()
    kept: dict[int, float] = {}
    for token in sorted(range(len(logits)), key=lambda t: -probabilities[t]):
        if not kept or sum(kept.values()) < top_p:
            kept[token] = probabilities[token]
    total = sum(kept.values())
    return {token: p / total for token, p in kept.items()}


@settings(deadline=None)
@given(rows, shares, st.booleans())
def test_pick_follows_the_nucleus(logits: list[float], top_p: float, all_sorted: bool) -> None:
    """Even quantiles pick each token as often as its probability says, in both ways of looking for the nucleus."""
    points = 400
    uniform = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    wide = torch.tensor([logits]).expand(points, -1)
    with pytest.MonkeyPatch.context() as patch:
        if all_sorted:
            patch.setattr(sampling, "NUCLEUS", 2)
        chosen = pick(wide, torch.full((points, 1), top_p), uniform).tolist()
    expected = nucleus(logits, top_p)
    for token in range(len(logits)):
        share, probability = chosen.count(token) / points, expected.get(token, 0.0)
        assert share == pytest.approx(probability, abs=2.1 / points), (token, expected)


def test_pick_at_the_ends_of_the_distribution() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0]]).expand(2, -1)
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert pick(logits, torch.ones(2, 1), ends).tolist() == [1, 0]
    assert pick(logits, torch.full((2, 1), 1e-9), ends).tolist() == [1, 1]


def test_rows_of_one_call_have_their_own_top_p() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]]).expand(2, -1)
    late = torch.full((2,), 0.999, dtype=torch.float64)
    assert pick(logits, torch.tensor([[0.1], [1.0]]), late).tolist() == [0, 2]


def test_a_row_with_a_large_nucleus_changes_nothing_for_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal logits are common in half precision, and their order must be the same in every batch."""
    monkeypatch.setattr(sampling, "NUCLEUS", 4)
    tied = torch.tensor([2.0, 2.0, 2.0, -9.0, 2.0, -9.0]).expand(50, -1)
    flat = torch.zeros(50, 6)
    uniform = torch.arange(50, dtype=torch.float64) / 50
    alone = pick(tied, torch.full((50, 1), 0.7), uniform)
    share = torch.cat([torch.full((50, 1), 0.7), torch.ones(50, 1)])
    beside = pick(torch.cat([tied, flat]), share, torch.cat([uniform, uniform]))
    assert beside[:50].tolist() == alone.tolist()
    assert set(beside[50:].tolist()) == set(range(6))


def chosen(
    requests: list[Request], scores: torch.Tensor, steps: int = 1, said: torch.Tensor | None = None
) -> list[list[int]]:
    """The tokens each row takes at each step, at the same scores every time."""
    processor = SeededSampling(requests, prompt_width=0)
    ids = torch.zeros((len(requests), 0), dtype=torch.long) if said is None else said
    made: list[list[int]] = []
    for _ in range(steps):
        out = processor(cast(torch.LongTensor, ids), cast(torch.FloatTensor, scores))
        assert ((out == 0).sum(dim=-1) == 1).all()
        assert (out.isneginf().sum(dim=-1) == out.shape[-1] - 1).all()
        made.append(out.argmax(dim=-1).tolist())
    return [list(row) for row in zip(*made, strict=True)]


SCORES = torch.tensor([[0.5, 2.0, 1.0, -1.0, 0.0]])


def test_a_row_draws_by_its_seed_whoever_stands_beside_it() -> None:
    requests = [replace(ASK, seed=n, temperature=0.5 + n / 4, top_p=0.9) for n in range(5)]
    together = chosen(requests, SCORES.expand(5, -1), 30)
    alone = [chosen([r], SCORES, 30)[0] for r in requests]
    backwards = chosen(requests[::-1], SCORES.expand(5, -1), 30)[::-1]
    assert together == alone == backwards
    assert len({tuple(row) for row in together}) == 5


def test_temperature_zero_takes_the_likeliest_beside_warm_rows() -> None:
    requests = [replace(ASK, temperature=0.0, seed=1), replace(ASK, temperature=1.5, seed=1)]
    cold, warm = chosen(requests, SCORES.expand(2, -1), 40)
    assert set(cold) == {1}
    assert len(set(warm)) > 2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_shapes_the_distribution(temperature: float) -> None:
    count = 4000
    requests = [replace(ASK, temperature=temperature, seed=seed) for seed in range(count)]
    tokens = [row[0] for row in chosen(requests, SCORES.expand(count, -1))]
    for token, probability in enumerate(torch.softmax(SCORES[0] / temperature, dim=-1).tolist()):
        spread = (probability * (1 - probability) / count) ** 0.5
        assert tokens.count(token) / count == pytest.approx(probability, abs=4.5 * spread)


def test_the_penalty_counts_tokens_of_the_reply_alone() -> None:
    requests = [replace(ASK, temperature=0.0, presence_penalty=p) for p in (0.0, 0.9, 1.1)]
    said = torch.tensor([[1, 1, 3]]).expand(3, -1)
    scores = SCORES.expand(3, -1)
    assert chosen(requests, scores, said=said) == [[1], [1], [2]]
    processor = SeededSampling(requests, prompt_width=3)
    out = processor(cast(torch.LongTensor, said), cast(torch.FloatTensor, scores))
    assert out.argmax(dim=-1).tolist() == [1, 1, 1]


def test_half_precision_scores() -> None:
    requests = [replace(ASK, seed=seed) for seed in range(3)]
    out = SeededSampling(requests, 0)(
        cast(torch.LongTensor, torch.zeros((3, 0), dtype=torch.long)),
        cast(torch.FloatTensor, SCORES.expand(3, -1).bfloat16()),
    )
    assert out.dtype == torch.bfloat16
    assert (out == 0).sum() == 3
