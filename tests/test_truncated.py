"""The truncated filter: what kind of end it is, and limits that change without measuring again."""

import pytest

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.wording import truncated
from tuneworks.factory.wording.truncation import Ending, open_ending
from tuneworks.filters.wording.truncated import MEASURES, Truncated

CUT = "Bread needs time. When the dough is warm it grows in the bowl and in the tin as well"


def test_the_measures_are_those_of_the_ending() -> None:
    assert list(MEASURES) == list(Ending._fields)
    table = to_table(Record.born("?", answers=[Answer(text)]) for text in (CUT, "So, there it is,", "It is."))
    assert Truncated().measure(table).rows() == [("", 19, True), (",", 4, False), (None, None, None)]


def test_the_number_of_words_can_be_changed_without_measuring_again() -> None:
    table = to_table(Record.born("?", answers=[Answer(text)]) for text in (CUT, CUT.replace(".", "")))
    measures = Truncated().measure(table)
    assert Truncated().reject(measures).to_list() == [
        "the answer has no closing mark after the 19 words of its last line",
        None,
    ]
    assert Truncated(words=20).reject(measures).to_list() == [None, None]
    assert None not in Truncated(lone_words=19).reject(measures).to_list()


@pytest.mark.parametrize(
    "text",
    [
        "P-N-E-U-M-O-N-I-A",
        "Name:\n\nDate of the visit:\n\nWhat was said to the customer:",
        "1860: Lincoln is elected.\n\n1865: The Thirteenth Amendment is ratified and ends slavery in all of the States",
        "Some of the kinds of users that a site has are: 1. Readers 2. Writers 3. Editors 4. Owners 5. Guests",
        "Thank you for all that you did for us.\n\nWith heartfelt gratitude,",
        '"To thine own self be true, and it must follow as the night the day." - William Shakespeare, Hamlet',
    ],
)
def test_forms_timelines_lists_and_letters_are_not_cut_off(text: str) -> None:
    assert truncated(text) is None


@pytest.mark.parametrize(
    "text", ["Input: a dog\nOutput: a tail\n\nInput: a cat\n\nOutput:", "The sum of 14 and 6 is equal to"]
)
def test_examples_that_break_off_are(text: str) -> None:
    end = open_ending(text)
    assert end is not None
    assert end.at in (":", "to")
