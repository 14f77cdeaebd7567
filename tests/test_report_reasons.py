"""Reasons counted: alike but for numbers is one, told with what the numbers range over."""

import polars as pl

from tuneworks.pipelines.report.reasons import folded, told


def counted(*reasons: str) -> list[tuple[str, str, int]]:
    frame = pl.DataFrame({"reason": reasons, "part": "record"})
    return told(frame.with_columns(folded=folded(pl.col("reason"))))


def test_a_number_that_never_changes_is_said_and_one_that_does_becomes_a_range() -> None:
    assert counted("the word count is 3, under 4", "the word count is 1, under 4", "empty") == [
        ("record", "the word count is 1–3, under 4", 2),
        ("record", "empty", 1),
    ]


def test_signs_thousands_and_decimals_are_parts_of_a_number() -> None:
    assert counted("1,200 of 0.5, over -0.25", "90 of -1.5, over -0.25") == [
        ("record", "90–1,200 of -1.5 to 0.5, over -0.25", 2)
    ]


def test_ids_and_quotations_are_folded_and_their_digits_are_no_numbers() -> None:
    one = 'ROUGE-L 0.9 with "Name 5 rivers." of 0123456789abcdef'
    two = 'ROUGE-L 0.8 with "Name 12 owls." of fedcba9876543210'
    assert counted(one, two) == [("record", 'ROUGE-L 0.8–0.9 with "…" of …', 2)]
