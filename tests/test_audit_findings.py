"""The values of an audit: the interval of a share, and plain JSON."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.pipelines.audit.findings import Finding, as_json, wilson
from tuneworks.pipelines.audit.measures import measured
from tuneworks.pipelines.audit.pairs import PAIRS
from tuneworks.pipelines.audit.statistics import audit


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(10, 20, 0.2993, 0.7007), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 3, 0.0615, 0.7923)],
)
def test_wilsons_interval(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_holds_the_share(one: int, other: int) -> None:
    low, high = wilson(one, one + other)
    share = one / (one + other) if one + other else 0.5
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1


def test_a_share_of_nothing_is_none() -> None:
    assert Finding(0, 0).share == 0.0


def test_json_says_all_of_it() -> None:
    row = ("x", "user\nWhy?", "yes indeed", "no", 0.1 + 0.2, None, None)
    said = as_json(audit(measured(pl.DataFrame([row], schema=PAIRS, orient="row"))))
    assert json.loads(json.dumps(said)) == said
    assert said["pairs"] == 1 and said["margins"]["median"] == 0.3
    assert said["characters"]["longer"] == {"count": 1, "of": 1, "share": 1.0, "examples": ["x"]}
    assert said["characters"]["interval"][1] == 1.0 and said["characters"]["spearman"] is None
