"""What is measured of a pair: hashes, lengths, refusals, and how near its two answers are."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from tuneworks.pipelines.audit.measures import MEASURES, NEAR, measured, similarities
from tuneworks.pipelines.audit.pairs import PAIRS

LONG = "The river rises in the hills and flows past the mill to the sea."


def table(*answers: tuple[str | None, str | None]) -> pl.DataFrame:
    rows = [(str(n), "user\nWhy?", one, other, None, None, None) for n, (one, other) in enumerate(answers)]
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


def test_lengths_and_marks() -> None:
    row = measured(table(("Two words", "我们走吧 now"))).row(0, named=True)
    assert (row["chosen_characters"], row["rejected_characters"]) == (9, 8)
    assert (row["chosen_words"], row["rejected_words"]) == (2, 5)
    assert not (row["same"] or row["empty"] or row["chosen_refuses"])


def test_white_space_does_not_make_another_text() -> None:
    rows = measured(table((" a  b\n", "a b"), ("a b", "a\u3000b"), ("", " \n"), ("ab", "a b")))
    assert rows["same"].to_list() == [True, True, True, False]
    assert rows["empty"].to_list() == [False, False, True, False]
    assert (rows["chosen"] == rows["rejected"]).to_list() == [True, True, True, False]


def test_refusals_are_told_on_both_sides() -> None:
    no = "I'm sorry, but I can't help with that."
    rows = measured(table((no, LONG), (LONG, no), (LONG, LONG)))
    assert rows["chosen_refuses"].to_list() == [True, False, False]
    assert rows["rejected_refuses"].to_list() == [False, True, False]


def test_a_row_without_answers_measures_as_none() -> None:
    rows = measured(table((None, None)))
    assert rows.schema == MEASURES
    assert rows["same"].to_list() == rows["chosen_words"].to_list() == [None]
    assert rows["similarity"].to_list() == [0.0]


def test_near_is_at_the_cut_and_above() -> None:
    ten = "abcdefghij"
    found = similarities(pl.Series([ten, ten, ten, LONG]), pl.Series(["abcdefghiX", "abcdefghXY", ten[:9], LONG]))
    assert found.tolist() == [0.9, 0.0, 0.9, 1.0]


@given(st.lists(st.tuples(st.text("abc ", max_size=30), st.text("abc ", max_size=30)), min_size=1, max_size=8))
def test_the_measure_is_that_of_each_pair_alone(pairs: list[tuple[str, str]]) -> None:
    ones, others = (pl.Series([pair[side] for pair in pairs], dtype=pl.String) for side in (0, 1))
    alone = [Levenshtein.normalized_similarity(one, other) if one else 0.0 for one, other in pairs]
    assert similarities(ones, others).tolist() == [value if value >= NEAR else 0.0 for value in alone]
