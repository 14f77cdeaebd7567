"""Histograms: round bins, nothing lost at the ends, too few values told in words."""

import numpy as np
import polars as pl
import pytest

from tuneworks.pipelines.report.histogram import Group, binned, figure, histogram, round_width, ticks_of


@pytest.mark.parametrize(("width", "rounded"), [(0.3, 0.5), (1, 1), (1.1, 2), (23, 50), (0, 1)])
def test_widths_are_round(width: float, rounded: float) -> None:
    assert round_width(width) == pytest.approx(rounded)


@pytest.mark.parametrize("log", [False, True])
def test_every_value_is_in_a_bin_and_the_tail_in_the_last(log: bool) -> None:
    values = np.random.default_rng(0).lognormal(2, 1.2, 2000)
    bins = binned(values, whole=False, log=log)
    assert bins.shares(values).sum() == pytest.approx(1)
    assert bins.more and 12 <= len(bins.edges) <= 40
    assert bins.place(float(bins.edges[0])) == 0 and bins.place(float(bins.edges[-1])) == pytest.approx(1)
    assert all(0 <= bins.place(tick) <= 1 + 1e-9 for tick in ticks_of(bins))


def test_whole_numbers_have_bins_of_whole_numbers() -> None:
    bins = binned(np.array([1.0, 2, 2, 3, 5]), whole=True, log=False)
    assert list(bins.shares(np.array([1.0, 2, 2, 3, 5]))[:3]) == [0.2, 0.4, 0.2]
    assert np.all(np.diff(bins.edges) == 1)


def test_equal_values_have_a_picture_too() -> None:
    assert "<svg" in str(histogram("Same", [Group("kept", pl.Series([3.0] * 9))]))


def test_few_values_are_told_and_not_drawn() -> None:
    drawn = histogram("Words", [Group("kept", pl.Series(range(20))), Group("rejected", pl.Series([1, 2]))])
    assert drawn and "rejected: 2, median 1.5, too few to draw" in drawn
    assert 'class="line"' not in drawn
    assert (
        histogram("Words", [Group("kept", pl.Series([1, 2])), Group("rejected", pl.Series([], dtype=pl.Int64))]) is None
    )


def test_a_lone_second_group_is_still_the_line() -> None:
    drawn = histogram("Words", [Group("kept", pl.Series([1])), Group("rejected", pl.Series(range(20)))])
    assert drawn and 'class="line"' in drawn and '<g class="kept">' not in drawn


def test_nulls_and_what_is_no_number_are_left_out() -> None:
    values = pl.Series([1.0, None, float("nan"), float("inf"), 2.0])
    assert list(Group("kept", values).numbers()) == [1, 2]


def test_figures_are_as_a_person_writes_them() -> None:
    assert [figure(n) for n in (1200.0, 12.0, 1.354, 0.0421, 356.7)] == ["1,200", "12", "1.35", "0.0421", "357"]
