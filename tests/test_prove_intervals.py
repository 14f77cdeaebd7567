"""Intervals of paired differences: as wide as they say, for rows, groups and seeds alike."""

import numpy as np
import pytest

from tuneworks.pipelines.proving.intervals import Interval, interval


def coverage(rows: int, seeds: int, by_row: float, by_seed: float, noise: float, together: int = 1) -> float:
    """How often the interval holds the true mean, in 400 made-up experiments. `together` rows are alike, a group."""
    rng = np.random.default_rng(rows + seeds)
    hits = 0
    for number in range(400):
        group = np.repeat(np.arange(rows // together), together)
        row = rng.normal(0, by_row, rows // together)[group]
        table = 0.3 + row + rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, noise, (seeds, rows))
        found = interval(table, group.tolist(), seed=number, resamples=1000)
        hits += found.low <= 0.3 <= found.high
    return hits / 400


@pytest.mark.parametrize(
    ("rows", "seeds", "by_row", "by_seed", "noise"),
    [(60, 3, 0.2, 0.0, 0.02), (60, 3, 0.01, 0.1, 0.01), (60, 3, 0.1, 0.02, 0.1), (10, 3, 0.2, 0.0, 0.0)],
    ids=["rows differ", "seeds differ", "both, and noise", "few rows"],
)
def test_the_truth_lies_inside_19_times_in_20(
    rows: int, seeds: int, by_row: float, by_seed: float, noise: float
) -> None:
    assert 0.92 <= coverage(rows, seeds, by_row, by_seed, noise) <= 0.995


def test_rows_that_are_alike_count_as_one() -> None:
    assert coverage(60, 3, 0.2, 0.0, 0.01, together=4) >= 0.92
    table = np.random.default_rng(0).normal(0, 1, 15).repeat(4)[None]
    grouped, single = (interval(table, g) for g in (np.arange(15).repeat(4).tolist(), list(range(60))))
    assert grouped.high - grouped.low > 1.7 * (single.high - single.low)


def test_rows_alone_give_the_interval_of_student() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.2, 40)
    found = interval(values[None], list(range(40)))
    half = 2.0227 * values.std(ddof=1) / np.sqrt(40)  # t of 39 degrees of freedom
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_pairs_take_out_what_rows_have_in_common() -> None:
    """Rows are of very different difficulty; an arm that is a little worse on each is told from the other."""
    rng = np.random.default_rng(2)
    kept = rng.normal(2.0, 1.0, 40)
    worse = kept + 0.05 + rng.normal(0, 0.02, 40)
    found = interval(np.stack([worse - kept] * 3), list(range(40)))
    assert 0.03 < found.low < found.mean < found.high < 0.07


def test_the_same_numbers_give_the_same_interval_and_no_difference_has_no_width() -> None:
    table = np.random.default_rng(3).normal(0, 1, (3, 20))
    assert interval(table, list(range(20))) == interval(table, list(range(20)))
    assert interval(np.zeros((3, 20)), list(range(20))) == Interval(0.0, 0.0, 0.0)
