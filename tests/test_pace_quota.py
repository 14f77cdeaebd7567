"""Requests and tokens per minute: no minute holds more than the limit, and nothing waits without need."""

from itertools import pairwise
from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Request, Usage
from tuneworks.factory.engines.pace.quota import AHEAD, Allowance, Quota
from tuneworks.factory.record import Message


def sent(allowance: Allowance, amounts: list[int]) -> list[float]:
    """When each amount goes, if all want to go at once."""
    now, times = 0.0, list[float]()
    for amount in amounts:
        while (wait := allowance.wait(amount, now)) > 0:
            now = max(now + wait, nextafter(now, inf))
        allowance.spend(amount, now)
        times.append(now)
    return times


@given(st.integers(1, 200), st.lists(st.integers(1, 60), min_size=1, max_size=200))
def test_no_minute_holds_more_than_the_limit(limit: int, amounts: list[int]) -> None:
    times = sent(Allowance(limit), amounts)
    for begin in times:
        within = [min(a, limit) for t, a in zip(times, amounts, strict=True) if begin <= t < begin + 60.0]
        assert sum(within) <= limit


def test_it_is_spread_evenly_and_the_whole_of_it_is_used() -> None:
    times = sent(Allowance(120), [1] * 600)
    assert 4 * 60 <= times[-1] <= 5.1 * 60
    assert max(b - a for a, b in pairwise(times)) < 2.0
    assert sum(t < 2.0 for t in times) <= 2 * (2.0 + AHEAD) + 1


def test_what_was_taken_in_truth_counts() -> None:
    quota = Quota(None, 1000)
    request = Request((Message("user", "word " * 60),), max_tokens=400)
    tokens = quota.likely_tokens(request)
    assert 480 <= tokens <= 520
    first = quota.reserve(tokens, 0.0)
    quota.reserve(tokens, 1.0)
    assert quota.wait(tokens, 1.0) > 20
    quota.used(first, Usage(60, 40))
    assert quota.wait(380, 40.0) < quota.wait(tokens, 40.0)


def test_an_amount_above_the_limit_goes_alone() -> None:
    quota = Quota(None, 100)
    assert quota.wait(5000, 0.0) == 0
    quota.reserve(5000, 0.0)
    assert quota.wait(1, 1.0) > 50


@pytest.mark.parametrize("quota", [Quota(None, None), Quota(None, None)])
def test_without_limits_nothing_waits(quota: Quota) -> None:
    assert quota.likely_tokens(Request((Message("user", "a"),))) == 0
    for at in range(1000):
        assert quota.wait(0, at / 1000) == 0
        quota.reserve(0, at / 1000)
