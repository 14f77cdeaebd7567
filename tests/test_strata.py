"""Strata: where a value stands among its like, and how many of each bin stay."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.record import Record, to_table
from tuneworks.filters.strata import histogram_bin, kind_of_task, length_bucket, quantile, quotas


def test_kinds_of_task() -> None:
    metas: list[dict[str, str | bool]] = [
        {"kind": "writing", "is_classification": True},
        {"is_classification": True},
        {"is_classification": False},
        {"kind": " "},
        {},
    ]
    table = to_table([Record.born("a", meta=meta) for meta in metas])
    assert table.select(kind_of_task()).to_series().to_list() == ["writing", "classification", "", "", ""]


def test_buckets_double() -> None:
    frame = pl.DataFrame({"tokens": [1, 2, 3, 4, 7, 8, 1000, None]})
    assert frame.select(length_bucket(pl.col("tokens"))).to_series().to_list() == [0, 1, 1, 2, 2, 3, 9, None]


def test_a_quantile_is_that_of_the_stratum() -> None:
    frame = pl.DataFrame(
        {"kind": ["a"] * 4 + ["b"] * 2, "bucket": [1] * 6, "value": [1.0, 2.0, 2.0, None, 100.0, 200.0]}
    )
    places = frame.select(quantile(pl.col("value"))).to_series().to_list()
    assert places == [1 / 6, 4 / 6, 4 / 6, None, 0.25, 0.75]


def test_bins_have_equal_width_and_open_ends() -> None:
    frame = pl.DataFrame({"value": [-1000.0, *map(float, range(101)), 1000.0]})
    bins = frame.select(histogram_bin(pl.col("value"), 4)).to_series()
    assert bins[0] == 0 and bins[-1] == 3
    assert sorted(bins[1:-1].value_counts()["count"]) == [24, 25, 26, 26]
    same = pl.DataFrame({"value": [3.0, 3.0]})
    assert same.select(histogram_bin(pl.col("value"), 4)).to_series().to_list() == [0, 0]


def test_quotas_of_full_bins() -> None:
    assert quotas([100, 100, 100], (1.0, 2.0, 1.0), 40) == [10, 20, 10]
    assert quotas([100, 5, 100], (1.0, 2.0, 1.0), 40) == [18, 5, 17]
    assert quotas([0, 0], (1.0, 1.0), 40) == [0, 0]
    assert quotas([9, 9], (1.0, 0.0), 12) == [9, 0]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5)), min_size=1, max_size=8), st.integers(0, 200))
def test_quotas_add_up_and_never_exceed_a_bin(bins: list[tuple[int, float]], total: int) -> None:
    counts, shares = [count for count, _ in bins], tuple(share for _, share in bins)
    made = quotas(counts, shares, total)
    assert all(0 <= kept <= count for kept, count in zip(made, counts, strict=True))
    assert sum(made) == min(total, sum(count for count, share in bins if share > 0))
