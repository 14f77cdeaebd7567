"""Strata: where a value stands among its like."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.record import Record, to_table
from tuneworks.filters.strata import FEWEST, histogram_bin, kind_of_task, length_bucket, quantile, strata


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
    frame = pl.DataFrame({"tokens": [1, 2, 3, 4, 7, 8, 1000, None, 0]})
    assert frame.select(length_bucket(pl.col("tokens"))).to_series().to_list() == [0, 1, 1, 2, 2, 3, 9, None, None]


def placed(*groups: tuple[str, int | None, int]) -> list[int | None]:
    """The strata of groups given as kind, bucket and how many rows, all with a value; each must be in one."""
    kinds = [kind for kind, _, count in groups for _ in range(count)]
    buckets = [bucket for _, bucket, count in groups for _ in range(count)]
    frame = pl.DataFrame({"kind": kinds, "bucket": buckets}, schema={"kind": pl.String, "bucket": pl.Int32})
    made = strata(frame.with_columns(value=pl.lit(1.0)), "value").to_list()
    numbers = []
    for _, _, count in groups:
        group, made = made[:count], made[count:]
        assert len(set(group)) == 1
        numbers.append(group[0])
    return numbers


def test_buckets_with_few_rows_join_the_longer_ones_beside_them() -> None:
    assert placed(("a", 0, 3), ("a", 1, 20), ("a", 2, 20)) == [0, 0, 1]
    assert placed(("a", 0, 20), ("a", 3, 4), ("a", 4, 5), ("a", 7, 1)) == [0, 1, 1, 1]
    assert placed(("a", 0, 20), ("a", 1, 9)) == [0, 0]
    assert placed(("a", 0, 10), ("b", 0, 10)) == [0, 1]


def test_rare_kinds_are_one_kind_and_too_few_in_all_have_no_stratum() -> None:
    assert placed(("a", 0, 20), ("b", 0, 6), ("c", 1, 6)) == [0, 1, 1]
    assert placed(("a", 0, 20), ("b", 0, 6)) == [0, None]
    assert placed(("a", 0, 9)) == [None]
    assert placed(("a", None, 4), ("a", 2, 7)) == [0, 0]


def test_rows_without_a_value_are_in_no_stratum_and_do_not_count() -> None:
    frame = pl.DataFrame({"kind": ["a"] * 20, "bucket": [1] * 20, "value": [1.0, None] * 10})
    assert strata(frame, "value").to_list() == [0, None] * 10
    assert strata(frame[1:], "value").to_list() == [None] * 19
    assert strata(frame[:0], "value").to_list() == []


rows_of_strata = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), max_size=120)


@given(rows_of_strata)
def test_a_stratum_is_never_small_and_never_has_a_gap(rows: list[tuple[str, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"kind": pl.String, "bucket": pl.Int32}, orient="row")
    made = frame.with_columns(value=pl.lit(1.0)).with_columns(stratum=pl.lit(1))
    made = made.with_columns(strata(made, "value").alias("stratum"))
    common = made.filter(pl.len().over("kind") >= FEWEST)
    assert common["stratum"].null_count() == 0
    assert all(group.height >= FEWEST for _, group in made.drop_nulls().group_by("stratum"))
    for _, kind in common.group_by("kind"):
        numbers = kind.sort("bucket")["stratum"].to_list()
        assert numbers == sorted(numbers)
    assert made.group_by("kind", "bucket").agg(pl.col("stratum").n_unique())["stratum"].to_list() == [1] * len(
        set(rows)
    )


def test_a_quantile_is_that_of_the_stratum() -> None:
    frame = pl.DataFrame({"stratum": [0] * 4 + [1] * 2, "value": [1.0, 2.0, 2.0, None, 100.0, 200.0]})
    places = frame.select(quantile(pl.col("value"))).to_series().to_list()
    assert places == [1 / 6, 4 / 6, 4 / 6, None, 0.25, 0.75]


def test_bins_have_equal_width_and_open_ends() -> None:
    frame = pl.DataFrame({"value": [-1000.0, *map(float, range(101)), 1000.0]})
    bins = frame.select(histogram_bin(pl.col("value"), 4)).to_series()
    assert bins[0] == 0 and bins[-1] == 3
    assert sorted(bins[1:-1].value_counts()["count"]) == [24, 25, 26, 26]
    same = pl.DataFrame({"value": [3.0, 3.0]})
    assert same.select(histogram_bin(pl.col("value"), 4)).to_series().to_list() == [0, 0]
