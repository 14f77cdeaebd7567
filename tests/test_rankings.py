"""Losses of one ranking against the values they are known to have."""

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import torch

from tuneworks.trainers.rankings import accuracy, bradley_terry, pairs, plackett_luce, rrhf, slic, squared_error

REWARDS = torch.tensor([3.0, 1.0, 1.0, -2.0])


def test_ties_are_no_pairs() -> None:
    better, worse = pairs(REWARDS)
    assert list(zip(better.tolist(), worse.tolist(), strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]


@pytest.mark.parametrize("count", [2, 3, 6])
def test_equal_scores_have_known_losses(count: int) -> None:
    rewards, scores = torch.arange(count).float(), torch.full((count,), 0.7)
    assert float(bradley_terry(scores, rewards)) == pytest.approx(math.log(2))
    assert float(plackett_luce(scores, rewards)) == pytest.approx(math.log(math.factorial(count)), rel=1e-5)
    assert float(slic(scores, rewards, 1.5)) == pytest.approx(1.5)
    assert float(rrhf(scores, rewards)) == 0
    standard = (rewards - rewards.mean()) / rewards.std(correction=0)
    assert float(squared_error(torch.zeros(count), standard)) == pytest.approx(1, rel=1e-5)


def test_plackett_luce_is_a_distribution_over_orders() -> None:
    scores = torch.tensor([0.3, -1.2, 2.0, 0.9])
    total = sum(math.exp(-float(plackett_luce(scores, torch.tensor(order)))) for order in permutations([1.0, 2, 3, 4]))
    assert total == pytest.approx(1)


def test_of_two_answers_plackett_luce_is_bradley_terry() -> None:
    scores, rewards = torch.tensor([0.4, 1.9]), torch.tensor([5.0, 2.0])
    assert float(plackett_luce(scores, rewards)) == pytest.approx(float(bradley_terry(scores, rewards)))


def test_answers_that_tie_may_change_places() -> None:
    scores, swapped = torch.tensor([2.0, 0.5, 1.5, -1]), torch.tensor([2.0, 1.5, 0.5, -1])
    for loss in (bradley_terry, plackett_luce, rrhf):
        assert float(loss(scores, REWARDS)) == pytest.approx(float(loss(swapped, REWARDS)))


def test_a_margin_asks_for_more() -> None:
    scores, rewards = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 0.0])
    assert float(bradley_terry(scores, rewards, 1.0)) == pytest.approx(math.log(2))
    assert float(bradley_terry(scores, rewards, 0.5)) == pytest.approx(math.log(1 + math.exp(-0.5)))


def test_contrasts_by_hand() -> None:
    log_probs, rewards = torch.tensor([-2.0, -1.0, -4.0]), torch.tensor([2.0, 1.0, 0.0])
    assert float(rrhf(log_probs, rewards)) == 1.0  # one of three pairs is the wrong way round, by 1
    assert float(slic(log_probs, rewards, 2.5)) == pytest.approx((3.5 + 0.5 + 0) / 3)
    assert accuracy(log_probs, rewards) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "loss", [bradley_terry, plackett_luce, squared_error, lambda s, r: slic(s, r, 1.0)], ids=["bt", "pl", "mse", "slic"]
)
def test_going_down_puts_the_answers_in_order(loss: Callable[..., Any]) -> None:
    scores = torch.zeros(4, requires_grad=True)
    for _ in range(50):
        (slope,) = torch.autograd.grad(loss(scores, REWARDS), scores)
        scores = (scores - 0.3 * slope).detach().requires_grad_()
    assert accuracy(scores, REWARDS) == 1.0
