"""What each step of a trial learns from: exactly as many tokens, whatever the rows are like."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworks.trainers.trials.lessons import FEWEST_STEPS, Encoded, Piece, lessons, steps_for, tokens_read


def rows_of(lengths: list[int]) -> list[Encoded]:
    return [Encoded(str(at), range(3 + length), 3) for at, length in enumerate(lengths)]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 900), min_size=1, max_size=30),
    budget=st.integers(8, 9000),
    seed=st.integers(0, 5),
)
def test_every_step_of_every_arm_learns_as_many_tokens(lengths: list[int], budget: int, seed: int) -> None:
    made = lessons(rows_of(lengths), budget, seed)
    sizes = [sum(piece.end - piece.first for piece in step) for step in made]
    assert sum(sizes) == budget
    assert len(sizes) == steps_for(budget)
    assert max(sizes) - min(sizes) <= 1
    other = lessons(rows_of([7, 7, 500]), budget, seed + 1)
    assert [sum(piece.end - piece.first for piece in step) for step in other] == sizes


def test_whole_rows_are_learned_once_before_any_comes_again() -> None:
    lengths = [random.Random(0).randint(5, 60) for _ in range(40)]
    learned: Counter[tuple[int, int]] = Counter()
    for piece in (p for step in lessons(rows_of(lengths), sum(lengths), 0) for p in step):
        learned.update((piece.row, place) for place in range(piece.first, piece.end))
    assert set(learned.values()) == {1} and len(learned) == sum(lengths)


def test_a_row_goes_on_in_the_next_step_with_all_that_stands_before() -> None:
    (first, second, *_) = lessons(rows_of([800]), 800, 0)
    assert first == [Piece(0, 3, 103)] and second == [Piece(0, 103, 203)]
    assert tokens_read([first, second]) == 103 + 203


def test_small_arms_are_gone_through_again_in_another_order() -> None:
    order = [piece.row for step in lessons(rows_of([10] * 20), 400, 1) for piece in step if piece.first == 3]
    assert sorted(order[:20]) == sorted(order[20:40]) == list(range(20))
    assert order[:20] != order[20:40]


def test_an_arm_that_draws_has_other_rows_for_each_seed() -> None:
    drawn = [{p.row for step in lessons(rows_of([10] * 50), 300, seed, 15) for p in step} for seed in (0, 1)]
    assert [len(rows) for rows in drawn] == [15, 15] and drawn[0] != drawn[1]


@pytest.mark.parametrize(("budget", "steps"), [(3, 3), (500, FEWEST_STEPS), (40_000, 100)])
def test_steps_follow_from_the_budget(budget: int, steps: int) -> None:
    assert steps_for(budget) == steps
