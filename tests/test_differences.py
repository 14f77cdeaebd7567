"""Differences of two models: pairs, verdicts, and rewards at equal length."""

import numpy as np
import pytest

from tuneworks.pipelines.evaluating.differences import Better, Line, at_equal_length, differing, paired
from tuneworks.pipelines.proving.intervals import Interval


def line(low: float, high: float, better: Better) -> Line:
    return Line("p", "n", "nats", None, None, Interval((low + high) / 2, low, high), 9, better)


def test_a_verdict_needs_an_interval_without_zero() -> None:
    assert line(0.1, 0.3, "higher").verdict == "better"
    assert line(0.1, 0.3, "lower").verdict == "worse"
    assert line(-0.3, -0.1, "lower").verdict == "better"
    assert line(-0.1, 0.1, "lower").verdict == "no difference told"
    assert line(0.1, 0.3, "").verdict == ""


def test_pairs_give_both_means_and_their_difference() -> None:
    pairs = [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)] * 2
    found = paired("p", "n", "share", pairs, "higher")
    assert (found.model, found.base, found.items) == (0.75, 0.25, 8)
    assert found.difference is not None and found.difference.mean == 0.5
    assert found.difference.low < 0.5 < found.difference.high
    assert paired("p", "n", "share", pairs[1:], "higher").difference is None


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(60):
        found = differing(rng.normal(0.3, 1.0, 40))
        assert found is not None
        held += found.low <= 0.3 <= found.high
    assert 51 <= held <= 60


def test_length_is_taken_out_of_a_reward() -> None:
    """A reward of 0.01 for each character and nothing else: the longer answers win, and at equal length nobody does."""
    rng = np.random.default_rng(0)
    longer = rng.normal(80, 40, 200)
    by_length = 0.01 * longer + rng.normal(0, 0.05, 200)
    apart = differing(by_length)
    assert apart is not None and apart.low > 0.5
    level = at_equal_length(by_length.tolist(), longer.tolist())
    assert level is not None and level.low < 0 < level.high and abs(level.mean) < 0.03
    better = at_equal_length((by_length + 0.5).tolist(), longer.tolist())
    assert better is not None and better.low > 0.4 and better.high < 0.6


def test_the_line_at_zero_is_that_of_least_squares() -> None:
    xs, ys = [1.0, 2.0, 4.0, 7.0, -3.0, 0.5, 2.5, 6.0], [2.0, 1.0, 3.5, 6.0, -1.0, 0.0, 2.0, 4.0]
    found = at_equal_length(ys, xs)
    assert found is not None and found.mean == pytest.approx(np.polyfit(xs, ys, 1)[1])
    assert at_equal_length(ys[:5], xs[:5]) is None
    assert at_equal_length(ys, [3.0] * 8) is None
