"""Neighbours: as comparing every row with every other one, one float32 product at a time."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneworks.factory.overlap.join import PAIRS
from tuneworks.filters.embedding import tiles
from tuneworks.filters.embedding.buckets import unit
from tuneworks.filters.embedding.encoder import Vectors
from tuneworks.filters.embedding.greedy import distinct, keep_apart
from tuneworks.filters.embedding.inverted_file import likely_nearest, likely_pairs
from tuneworks.filters.embedding.neighbours import all_pairs, cosines, nearest, pairs
from tuneworks.filters.embedding.tiles import TILE, slack


def crowded(rows: int, dimensions: int, seed: int, apart: float = 0.5) -> Vectors:
    """Random unit vectors around a few centres, some of them copies, some zero."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((max(1, rows // 8), dimensions))
    noise = apart * draw.standard_normal((rows, dimensions)) * draw.random((rows, 1))
    vectors = unit((centres[draw.integers(len(centres), size=rows)] + noise).astype(np.float32))
    if rows > 9:
        vectors[rows // 2 :: 7] = vectors[::7][: len(vectors[rows // 2 :: 7])]
        vectors[3::11] = 0
    return vectors


def every_pair(vectors: Vectors) -> tuple[list[int], list[int], Vectors]:
    rows, others = np.tril_indices(len(vectors), -1)
    return rows.tolist(), others.tolist(), cosines(vectors, vectors, rows, others)


def brute(vectors: Vectors, least: float) -> set[tuple[int, int, float]]:
    rows, others, scores = every_pair(vectors)
    return {(r, o, s) for r, o, s in zip(rows, others, scores.tolist(), strict=True) if s >= least}


def found(frame: pl.DataFrame) -> set[tuple[int, int, float]]:
    assert frame.schema == PAIRS
    rows = frame.rows()
    assert len(set(rows)) == len(rows)
    return {(max(r, o), min(r, o), s) for r, o, s in rows}


@pytest.mark.parametrize("rows", [0, 1, 2, TILE - 1, TILE, TILE + 1, 2 * TILE + 77])
@pytest.mark.parametrize("dimensions", [1, 8, 384])
def test_all_pairs_are_found_whatever_the_size(rows: int, dimensions: int) -> None:
    vectors = crowded(rows, dimensions, seed=rows + dimensions)
    for least in (0.5, 0.9, 0.999) if dimensions > 1 else (1.0,):
        assert found(all_pairs(vectors, least)) == brute(vectors, least)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pairs_and_nearest_are_the_same_on_every_processor(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "tile_dtype", lambda: dtype)
    vectors = crowded(TILE + 30, 64, seed=8)
    for least in (0.5, 0.9, 0.999):
        assert found(all_pairs(vectors, least)) == brute(vectors, least)
    scores = nearest(vectors, vectors[1:])[1]
    assert np.abs(scores - np.minimum((vectors @ vectors[1:].T).max(axis=1), 1)).max() < 1e-6


NUMBERS = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0, 3.0])
SHAPES = st.tuples(st.integers(0, 12), st.integers(1, 4))
FEW = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=NUMBERS))


@given(FEW, st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_all_pairs_of_few_rows_with_ties_copies_and_zeros(numbers: Vectors, least: float) -> None:
    vectors = unit(numbers)
    assert found(pairs(vectors, least)) == brute(vectors, least)


@given(st.integers(1, 64), st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_the_slack_bounds_what_a_product_in_bfloat16_loses(dimensions: int, seed: int, length: float) -> None:
    draw = np.random.default_rng(seed)
    one, other = (length * unit(draw.standard_normal((50, dimensions)).astype(np.float32)) for _ in range(2))
    other[:10] = one[:10]
    rounded = torch.from_numpy(one).bfloat16() @ torch.from_numpy(other).bfloat16().T
    off = np.abs(rounded.double().numpy() - one.astype(np.float64) @ other.T.astype(np.float64)).max()
    longest = max(np.linalg.norm(one, axis=1).max(), np.linalg.norm(other, axis=1).max())
    assert off <= slack(torch.bfloat16, dimensions, float(longest))


def test_a_score_is_a_function_of_the_two_rows_alone() -> None:
    vectors = crowded(300, 384, seed=5)
    rows, others = np.tril_indices(300, -1)
    together = cosines(vectors, vectors, rows, others)
    assert (cosines(vectors, vectors, others, rows) == together).all()
    some = np.arange(0, len(rows), 97)
    alone = [cosines(vectors[[r, o]], vectors[[r, o]], np.array([0]), np.array([1]))[0] for r, o in
             zip(rows[some], others[some], strict=True)]  # fmt: skip
    assert together[some].tolist() == [float(score) for score in alone]


@pytest.mark.parametrize(("rows", "others"), [(0, 5), (5, 0), (1, 1), (TILE + 3, 2 * TILE + 1), (7, TILE)])
@pytest.mark.parametrize("apart", [0.01, 0.5])
def test_the_nearest_of_another_set_is_the_nearest(rows: int, others: int, apart: float) -> None:
    vectors, set_ = crowded(rows, 24, seed=1, apart=apart), crowded(others, 24, seed=1, apart=apart / 2)
    places, scores = nearest(vectors, set_)
    if not others:
        assert (places == -1).all() and np.isnan(scores).all()
        return
    assert np.abs(scores - np.minimum((vectors @ set_.T).max(axis=1, initial=-1), 1)).max(initial=0) < 1e-6
    assert (scores == cosines(vectors, set_, np.arange(rows), places)).all()


def test_a_row_is_not_its_own_nearest() -> None:
    vectors = crowded(TILE + 200, 24, seed=2)
    own = np.arange(len(vectors))
    places, scores = nearest(vectors, vectors, own)
    full = vectors @ vectors.T
    np.fill_diagonal(full, -9)
    assert (places != own).all() and np.abs(scores - np.minimum(full.max(axis=1), 1)).max() < 1e-6
    assert nearest(vectors[:1], vectors[:1], np.array([0]))[0].tolist() == [-1]


def test_the_inverted_file_gives_right_pairs_and_nearly_all() -> None:
    vectors = crowded(3000, 48, seed=3)
    for least in (0.8, 0.9, 0.99):
        exact, likely = found(all_pairs(vectors, least)), found(likely_pairs(vectors, least))
        assert likely <= exact and len(likely) >= 0.99 * len(exact) > 100


@pytest.mark.parametrize("rows", [0, 1, 2, 50])
def test_the_inverted_file_takes_few_rows(rows: int) -> None:
    vectors = crowded(rows, 8, seed=4)
    assert found(likely_pairs(vectors, 0.9)) == brute(vectors, 0.9)
    places = likely_nearest(vectors, vectors, np.arange(rows))
    assert len(places) == rows and (places != np.arange(rows)).all()


def test_the_inverted_file_nearly_always_finds_the_nearest() -> None:
    vectors = crowded(3000, 48, seed=6)
    own = np.arange(len(vectors))
    places = likely_nearest(vectors, vectors, own)
    _, best = nearest(vectors, vectors, own)
    assert (cosines(vectors, vectors, own, places) >= best - 1e-6).mean() > 0.95


def greedy(vectors: Vectors, limit: float) -> list[bool]:
    """Which rows go: each is compared with all before it that stayed."""
    kept: list[int] = []
    gone = []
    for row in range(len(vectors)):
        scores = cosines(vectors, vectors, np.full(len(kept), row), np.array(kept, dtype=np.int64)).astype(float)
        gone.append(bool((scores > limit).any()))
        kept += [] if gone[-1] else [row]
    return gone


def check_kept_apart(vectors: Vectors, limit: float) -> None:
    decided = keep_apart(vectors, limit)
    gone = decided["gone"].to_list()
    assert gone == greedy(vectors, limit)
    stays = np.flatnonzero(~np.array(gone, dtype=bool))
    for row, (_, place, score) in enumerate(decided.rows()):
        others = stays[stays != row]
        if not len(others):
            assert place is None and score is None
            continue
        scores = cosines(vectors, vectors, np.full(len(others), row), others)
        assert place in others and score == pytest.approx(float(scores.max()), abs=1e-6)
        assert score == cosines(vectors, vectors, np.array([row]), np.array([place])).astype(float)[0]


@given(FEW, st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_what_stays_is_greedy_with_ties_copies_and_zeros(numbers: Vectors, limit: float) -> None:
    check_kept_apart(unit(numbers), limit)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.9, 0.99, 1.0]), st.sampled_from([3, 64]))
def test_what_stays_is_greedy_among_many(seed: int, limit: float, dimensions: int) -> None:
    check_kept_apart(crowded(TILE + 50, dimensions, seed), limit)


def test_many_copies_are_one_comparison() -> None:
    """100,000 copies of three rows are five thousand million pairs."""
    vectors = np.repeat(crowded(3, 16, seed=7), 100_000, axis=0)
    decided = keep_apart(vectors, 0.999)
    assert decided["gone"].sum() == len(vectors) - 3
    assert decided["nearest"].n_unique() == 3 and decided.filter("gone")["score"].min() > 0.999999


def test_rows_of_zeros_are_all_different() -> None:
    vectors = np.zeros((5, 3), dtype=np.float32)
    assert distinct(vectors, 0.9)[0].tolist() == [0, 1, 2, 3, 4]
    vectors[1:3, 0] = 1
    first, kind = distinct(vectors, 0.9)
    assert first.tolist() == [0, 1, 3, 4] and kind.tolist() == [0, 1, 1, 2, 3]
