"""Who stays among rows that are too close to each other, against the rule written down plainly."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.overlap.join import PAIRS
from tuneworks.filters.keep_first import rivals

ROWS = 9
links = st.lists(
    st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1), st.sampled_from([0.7, 0.8, 0.9])),
    unique_by=lambda link: frozenset(link[:2]),
).map(lambda found: [link for link in found if link[0] != link[1]])
orders = st.permutations(range(ROWS))


def plainly(found: list[tuple[int, int, float]], order: list[int]) -> list[tuple[int | None, float | None]]:
    score = {frozenset(link[:2]): link[2] for link in found}
    kept: list[int] = []
    answers: dict[int, tuple[int | None, float | None]] = {}
    for row in order:
        close = [(-score[pair], order.index(k), k) for k in kept if (pair := frozenset((row, k))) in score]
        answers[row] = (min(close)[2], -min(close)[0]) if close else (None, None)
        if not close:
            kept.append(row)
    return [answers[row] for row in range(ROWS)]


@given(links, orders)
def test_rivals_are_those_of_the_rule_written_plainly(found: list[tuple[int, int, float]], order: list[int]) -> None:
    pairs = pl.DataFrame(found, schema=PAIRS, orient="row")
    assert rivals(pairs, order, ROWS).rows() == plainly(found, order)
    swapped = pairs.select(row="other", other="row", score="score").reverse()
    assert rivals(swapped, order, ROWS).rows() == plainly(found, order)


def test_no_rows_and_no_pairs() -> None:
    assert rivals(PAIRS.to_frame(), [], 0).rows() == []
    assert rivals(PAIRS.to_frame(), [1, 0], 2).rows() == [(None, None)] * 2
