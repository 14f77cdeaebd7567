"""Quotas of a mixture: the published rule, in whole numbers that add up."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.pipelines.mixing.quotas import quotas

FLAN = {"aqua": 2715, "creak": 6910, "ecqa": 7110, "gsm8k": 7473, "qasc": 1084, "strategyqa": 2061}


def taken(rows: dict[str, int], **options: Any) -> dict[str, int]:
    return {name: quota.quota for name, quota in quotas(rows, **options).items()}


def test_at_temperature_one_each_source_gives_all_up_to_the_cap() -> None:
    assert taken(FLAN, cap=3000) == {name: min(n, 3000) for name, n in FLAN.items()}


@pytest.mark.parametrize("temperature", [1, 2, 4])
def test_rates_are_the_published_formula(temperature: float) -> None:
    raised = {name: min(n, 3000) ** (1 / temperature) for name, n in FLAN.items()}
    for name, quota in quotas(FLAN, cap=3000, temperature=temperature, size=5000).items():
        assert quota.rate == pytest.approx(raised[name] / sum(raised.values()), rel=1e-12)
        assert abs(quota.quota - 5000 * quota.rate) < 1


def test_a_temperature_near_nothing_takes_the_largest_alone() -> None:
    assert taken({"a": 3000, "b": 2000}, temperature=0.001, size=100) == {"a": 100, "b": 0}


def test_scale_comes_before_the_cap_and_the_cap_before_the_temperature() -> None:
    rates = {name: quota.rate for name, quota in quotas({"a": 100, "b": 1000}, cap=300, temperature=2, scale=2).items()}
    assert rates["b"] / rates["a"] == pytest.approx(math.sqrt(300 / 200))


def test_without_a_size_the_rates_hold_and_nothing_is_over_its_rows_or_the_cap() -> None:
    given_ = quotas(FLAN, cap=3000, temperature=2)
    size = sum(quota.quota for quota in given_.values())
    assert all(quota.quota <= min(quota.rows, 3000) for quota in given_.values())
    assert all(abs(quota.quota - size * quota.rate) < 1 for quota in given_.values())
    assert any(quota.quota >= min(quota.rows, 3000) - 1 for quota in given_.values())


def test_what_a_small_source_cannot_give_the_others_do() -> None:
    assert taken({"small": 10, "a": 1000, "b": 1000}, temperature=1e9, size=910) == {"small": 10, "a": 450, "b": 450}
    assert taken({"small": 10, "large": 50}, size=500) == {"small": 10, "large": 50}


def test_fixed_shares_stay_and_the_rule_shares_out_the_rest() -> None:
    assert taken({"a": 500, "b": 100, "c": 300}, shares={"a": 0.2}, size=100) == {"a": 20, "b": 20, "c": 60}
    assert taken({"a": 500, "b": 500}, shares={"a": 0.25, "b": 0.75}) == {"a": 167, "b": 499}


def test_an_empty_source_gives_nothing_and_takes_nothing() -> None:
    assert taken({"none": 0, "a": 7}) == {"none": 0, "a": 7}
    assert taken({"none": 0}) == {"none": 0} and taken({}) == {}


@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 5000), max_size=6),
    st.none() | st.integers(1, 4000),
    st.floats(0.5, 8),
    st.none() | st.integers(0, 20_000),
)
def test_they_add_up_and_no_row_is_taken_twice(
    rows: dict[str, int], cap: int | None, temperature: float, size: int | None
) -> None:
    given_ = taken(rows, cap=cap, temperature=temperature, size=size)
    assert all(0 <= given_[name] <= n for name, n in rows.items())
    if size is not None:
        assert sum(given_.values()) == min(size, sum(rows.values()))
    elif any(rows.values()):
        assert sum(given_.values()) > 0
