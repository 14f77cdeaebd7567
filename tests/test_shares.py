"""Sharing out: whole numbers that add up, in proportion, none above what a part has."""

from hypothesis import given
from hypothesis import strategies as st

from tuneworks.filters.shares import shared_out


def test_full_parts_give_all_they_have() -> None:
    assert shared_out([100, 100, 100], (1.0, 2.0, 1.0), 40) == [10, 20, 10]
    assert shared_out([100, 5, 100], (1.0, 2.0, 1.0), 40) == [18, 5, 17]
    assert shared_out([0, 0], (1.0, 1.0), 40) == [0, 0]
    assert shared_out([9, 9], (1.0, 0.0), 12) == [9, 0]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5)), min_size=1, max_size=8), st.integers(0, 200))
def test_they_add_up_and_never_exceed_a_part(bins: list[tuple[int, float]], total: int) -> None:
    counts, shares = [count for count, _ in bins], tuple(share for _, share in bins)
    made = shared_out(counts, shares, total)
    assert all(0 <= kept <= count for kept, count in zip(made, counts, strict=True))
    assert sum(made) == min(total, sum(count for count, share in bins if share > 0))


@given(st.integers(0, 10_000), st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8))
def test_each_is_within_one_of_the_exact_part(size: int, rates: list[float]) -> None:
    parts, total = shared_out([size] * len(rates), rates, size), sum(rates)
    assert sum(parts) == size
    assert all(abs(part - size * rate / total) <= 1 for part, rate in zip(parts, rates, strict=True))
