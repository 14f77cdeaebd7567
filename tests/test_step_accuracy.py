"""How well steps are judged, counted."""

import pytest

from tuneworks.trainers.step_accuracy import Judged, measured, right

ERROR = Judged([True, False, None], [0.9, 0.1, 0.2])
LATE = Judged([True, True, False], [0.9, 0.3, 0.1])
CLEAN = Judged([True, True], [0.9, 0.5])
UNKNOWN = Judged([None, True, False], [0.1, 0.9, 0.9])


def test_accuracy_stands_beside_what_it_is_worth() -> None:
    found = measured([ERROR, LATE, CLEAN, UNKNOWN])
    assert found["steps"] == 9
    assert found["accuracy"] == pytest.approx(7 / 9)
    assert found["balanced_accuracy"] == pytest.approx((5 / 6 + 2 / 3) / 2)
    assert found["majority_share"] == pytest.approx(6 / 9)


def test_the_first_error_counts_where_it_is_known() -> None:
    found = measured([ERROR, LATE, CLEAN, UNKNOWN])["first_error"]
    assert found == {
        "answers": 3,
        "found": 2,
        "accuracy": pytest.approx(2 / 3),
        "accuracy_with_error": 0.5,
        "accuracy_without_error": 1.0,
    }


def test_calling_every_step_right_is_found_out() -> None:
    found = measured([Judged([True] * 9 + [False], [0.9] * 10)])
    assert (found["accuracy"], found["majority_share"], found["balanced_accuracy"]) == (0.9, 0.9, 0.5)
    assert found["first_error"]["accuracy"] == 0.0


def test_a_share_of_nothing_is_none() -> None:
    found = measured([Judged([True, None], [0.9, 0.9])])
    assert (found["accuracy"], found["balanced_accuracy"], found["majority_share"]) == (1.0, None, 1.0)
    assert found["first_error"]["accuracy"] is None


def test_neutral_is_good_or_nothing() -> None:
    assert [right(label, "good") for label in (1.0, 0.5, 0.0, None)] == [True, True, False, None]
    assert [right(label, "left_out") for label in (1.0, 0.5, 0.0, None)] == [True, None, False, None]
