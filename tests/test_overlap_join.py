"""The joins against brute force, with each kernel."""

from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuneworks.factory.errors import MissingExtra
from tuneworks.factory.overlap import kernel_numpy, prefixes
from tuneworks.factory.overlap.compiled import KERNEL, WORTH_LOADING, compiled
from tuneworks.factory.overlap.join import PAIRS, Measure, cross_join, self_join
from tuneworks.factory.overlap.tokens import Bags

Rows = list[list[int]]

KERNELS = ["numpy", "numba"] if find_spec("numba") else ["numpy"]
MEASURES: list[Measure] = ["rouge_l", "jaccard", "containment"]
LEAST = st.sampled_from([0.05, 0.1, 0.3, 0.4, 0.5, 2 / 3, 0.7, 0.8, 0.9, 1.0])


def changed(base: list[int], edits: list[tuple[int, int]]) -> list[int]:
    row = list(base)
    for place, token in edits:
        row[place % len(row) : place % len(row) + token % 3] = [token]
    return row


edits = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 150)), max_size=4)
few_tokens = st.lists(st.integers(0, 5), max_size=9)
repeated = st.integers(1, 150).map(lambda n: [1] * n)
related = st.builds(changed, st.sampled_from([[*range(5)], [*range(12)], [*range(70)], [*range(140)]]), edits)
tables = st.lists(few_tokens | related | repeated, max_size=12)


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KERNEL, request.param)
        for measure in MEASURES:  # compiled before anything is timed
            self_join(bags([[1, 2, 3]] * 2), measure, 0.5)
        yield request.param


@pytest.fixture(scope="module", params=["as it is", "pairs of keys, small blocks"])
def tuned(request: pytest.FixtureRequest) -> Iterator[None]:
    """Few rows alone would be looked up by single keys and in one block."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "as it is":
            patch.setattr(prefixes, "HITS_A_ROW", 0)
            patch.setattr(kernel_numpy, "BLOCK", 7)
        yield


def bags(rows: Rows) -> Bags:
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Bags(np.array([token for row in rows for token in row], dtype=np.int64), starts)


def common_subsequence(a: list[int], b: list[int]) -> int:
    """By the textbook's table."""
    row = [0] * (len(b) + 1)
    for x in a:
        previous, row = row, [0]
        for j, y in enumerate(b):
            row.append(previous[j] + 1 if x == y else max(row[j], previous[j + 1]))
    return row[-1]


def score(a: list[int], b: list[int], measure: Measure) -> float:
    if not a or not b:
        return 0.0
    if measure == "rouge_l":  # as the package rouge_score computes it
        length = common_subsequence(a, b)
        precision, recall = length / len(b), length / len(a)
        return 2 * precision * recall / (precision + recall) if length else 0.0
    common = (Counter(a) & Counter(b)).total()
    return common / (len(a) + len(b) - common) if measure == "jaccard" else common / len(b)


@pytest.mark.parametrize("measure", MEASURES)
@given(tables, LEAST)
@example([[*range(7), 8, 9, 10], [*range(7), 11, 12, 13]], 0.7)
@example([[*range(7)], list(range(13))], 0.7)
@example([[0, 1]] * 12, 1.0)
def test_self_join_finds_every_pair(kernel: str, tuned: None, measure: Measure, rows: Rows, least: float) -> None:
    every = [(i, j, score(rows[i], rows[j], measure)) for i in range(len(rows)) for j in range(i)]
    assert self_join(bags(rows), measure, least).rows() == [pair for pair in every if pair[2] >= least]


@pytest.mark.parametrize("measure", MEASURES)
@given(tables, tables, LEAST)
def test_cross_join_finds_every_pair(
    kernel: str, tuned: None, measure: Measure, rows: Rows, reference: Rows, least: float
) -> None:
    both = bags([*rows, *reference])
    found = cross_join(both.part(0, len(rows)), both.part(len(rows), len(both)), measure, least)
    every = [(i, j, score(a, b, measure)) for i, a in enumerate(rows) for j, b in enumerate(reference)]
    assert found.rows() == [pair for pair in every if pair[2] >= least]


@pytest.mark.parametrize("measure", MEASURES)
def test_many_rows_are_joined_as_few_are(kernel: str, measure: Measure) -> None:
    """Long and short rows of a real spread of tokens, a third of them near another: both ways to look rows up."""
    rng = np.random.default_rng(1)
    rows: Rows = [(rng.zipf(1.3, size=rng.integers(1, 45)) % 400).tolist() for _ in range(200)]
    rows += [changed(rows[i], [(int(rng.integers(40)), 7)]) for i in range(0, 200, 2)]
    every = [(i, j, score(rows[i], rows[j], measure)) for i in range(len(rows)) for j in range(i)]
    expected = [pair for pair in every if pair[2] >= 0.7]
    assert len(expected) > 80
    assert self_join(bags(rows), measure, 0.7).rows() == expected


def test_nothing_to_join(kernel: str) -> None:
    for empty in ([], [[]], [[], []]):
        for measure in MEASURES:
            assert self_join(bags(empty), measure, 0.5).equals(PAIRS.to_frame())
            assert cross_join(bags(empty), bags([[1]]), measure, 0.5).schema == PAIRS
            assert cross_join(bags([[1]]), bags(empty), measure, 0.5).is_empty()


def test_more_tokens_than_unicode_has_characters(kernel: str) -> None:
    start = 0x10FFFF
    rows = [[*range(start, start + 9)], [*range(start + 1, start + 10)], [1, 2, 3]]
    assert self_join(bags(rows), "rouge_l", 0.7).rows() == [(1, 0, score(rows[0], rows[1], "rouge_l"))]


def test_rows_of_a_hundred_thousand_tokens(kernel: str) -> None:
    rows = [[1] * 100_000, [1] * 99_999, [1], [*range(2, 100_002)], [*range(3, 100_003)]]
    near = self_join(bags(rows), "rouge_l", 0.9)
    assert near.select("row", "other").rows() == [(1, 0), (4, 3)]


@pytest.mark.parametrize("least", [0.0, -0.1, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        self_join(bags([[1]]), "jaccard", least)


def test_which_kernel_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KERNEL, raising=False)
    assert not compiled(WORTH_LOADING - 1)
    assert compiled(WORTH_LOADING) == ("numba" in KERNELS)
    monkeypatch.setenv(KERNEL, "numpy")
    assert not compiled(WORTH_LOADING)
    monkeypatch.setenv(KERNEL, "fortran")
    with pytest.raises(ValueError, match="numpy or numba"):
        compiled(1)
    monkeypatch.setenv(KERNEL, "numba")
    if "numba" in KERNELS:
        assert compiled(1)
    else:
        with pytest.raises(MissingExtra, match="fast"):
            compiled(1)


def test_pairs_are_small() -> None:
    assert self_join(bags([[1, 2], [1, 2]]), "jaccard", 1.0).schema == PAIRS
    assert pl.DataFrame(schema=PAIRS).schema.dtypes() == [pl.UInt32, pl.UInt32, pl.Float64]
