"""Cheap signs against an evolved text, and that what its parent had is not held against it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.evol_instruct.operators import OPERATORS, Operator
from tuneworks.factory.evol_instruct.prompts import CHINESE, ENGLISH
from tuneworks.factory.evol_instruct.signs import bad_sign
from tuneworks.factory.record import Answer, Record

SEA = Record.born("Write a poem about the sea.", answers=[Answer("The waves roll in and the gulls cry out all night.")])


def judged(text: str, operator: Operator = "constraints", parent: Record = SEA) -> str | None:
    return bad_sign(text, text, parent, operator, ENGLISH, "en")


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("Write a poem about the sea. Make sure to rhyme every second line.", "constraints"),
        ("Write a poem about a salt mine under a mountain.", "breadth"),
        ("Write a poem about the sea from this table.\n\n| wave | height |\n|---|---|\n| 1 | 2 |", "complicate_input"),
        ('Write a poem about the sea. {"wind": 5, "hour": 12}', "complicate_input"),
    ],
)
def test_good_evolutions_pass(text: str, operator: Operator) -> None:
    assert judged(text, operator) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Yes.", "1 words, fewer than 3"),
        ("Write about the sea.", "4 words, fewer than the 6 it should have added to"),
        ("Which of these animals is the oldest one?", "keeps none of its parent's"),
        ("Write a poem about the sea with:\n" + "\n".join(f"{n}. a wave" for n in range(1, 12)), "a list of 11 items"),
        ("Write\na\npoem\nabout\nthe\nsea\nand\nthe\nsand", "line breaks and 0 spaces"),
        ("Write a poem about the sea. As an AI, I can do that.", "talks as an assistant"),
        ("Write a poem about the sea. How can I assist you today?", "talks as an assistant"),
        ("I'm sorry, but a poem about the sea is too long for me.", "assistant"),
        ("Write a poem about the sea.\n```python", "never closed"),
        ("Write a poem about the sea in this picture here.", "needs more than text"),
        ("Sea! The waves roll in and the gulls cry out, is it all night?", "its parent: it answers"),
        ("The sea was a poem in the long winter of that year.", "asks for nothing"),
        ("Write a poem about the sea with storms, with gulls, and with the", 'ends at "the"'),
    ],
)
def test_bad_evolutions_and_why(text: str, reason: str) -> None:
    assert reason in (judged(text) or "")


def test_breadth_may_be_shorter_but_not_by_half_and_about_something_else() -> None:
    parent = Record.born("Write a long and sad poem about the sea at night in winter.")
    assert judged("Write a short poem about salt mines.", "breadth", parent) is None
    assert "fewer than half of its parent's 13" in (judged("Describe a mine.", "breadth", parent) or "")


def test_complicating_needs_data() -> None:
    assert judged("Write a poem about the sea. Use the data below.", "complicate_input") == "it comes without data"


def test_what_the_parent_had_is_not_held_against_it() -> None:
    parent = Record.born("Describe the picture in this file.")
    assert judged("Describe the picture in this file in ten words.", parent=parent) is None


def test_the_language_stays() -> None:
    parent = Record.born("写一首关于大海的诗。")
    assert bad_sign("Write a poem about the sea and rhyme it well.", "", parent, "breadth", CHINESE, "zh") == (
        "it is no longer in Chinese"
    )
    assert (
        bad_sign("写一首关于大海的诗，要押韵。", "写一首关于大海的诗，要押韵。", parent, "constraints", CHINESE, "zh")
        is None
    )
    assert judged("请写一首关于大海的诗并且要押韵", "breadth") == "it is no longer in the language of its parent"


@given(st.text(max_size=300), st.sampled_from(OPERATORS))
def test_any_text_is_judged(text: str, operator: Operator) -> None:
    reason = judged(text, operator)
    assert reason is None or reason
