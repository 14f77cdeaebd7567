"""Several answers of a row with what each scores."""

from typing import Any

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Record
from tuneworks.pipelines.sources.layouts import Parsed, parse
from tuneworks.trainers.rows import ranked_rows


def parsed(**row: Any) -> Parsed:
    (found,) = parse({"prompt": "A fish?", "completions": ["eel", "carp"], **row}, "row 1")
    return found


def test_answers_keep_their_reward_and_named_scores() -> None:
    found = parsed(rewards=[1, 0.5], scores={"helpful": [3, None], "harmless": [0.5, 1]})
    assert (found.layout, found.reason) == ("rated", None)
    assert [(a.text, dict(a.scores)) for a in found.answers] == [
        ("eel", {"helpful": 3.0, "harmless": 0.5, "reward": 1.0}),
        ("carp", {"harmless": 1.0, "reward": 0.5}),
    ]


def test_rows_of_ranked_are_read_again() -> None:
    found = parsed(rewards=[1, 0.5], scores={"helpful": [3, None], "harmless": [0.5, 1]})
    (row,) = ranked_rows([Record.born(found.prompt, answers=found.answers)])
    (read,) = parse(row, "row 1")
    (again,) = ranked_rows([Record.born(read.prompt, answers=read.answers)])
    assert {**again, "id": row["id"]} == row


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"rewards": [1]}, "its rewards are not one for each of its 2 completions"),
        ({"rewards": [1, "good"]}, "one of its rewards is 'good', which is no number"),
        ({"rewards": [1, 0], "scores": {"kind": [1]}}, "its scores 'kind' are not one for each of its 2 completions"),
        ({"rewards": [1, 0], "completions": ["eel", " "]}, "the answer is empty"),
    ],
)
def test_a_row_that_cannot_be_used_is_set_aside(row: dict[str, Any], reason: str) -> None:
    assert parsed(**row).reason == reason


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"completions": "eel"}, "the completions of row 1 are no list"),
        ({"completions": [[{"role": "user", "content": "eel"}]]}, "is not one turn of the assistant"),
        ({"scores": [1, 2]}, "the scores of row 1 have no names; write {name"),
    ],
)
def test_a_mistake_in_the_file_is_named(row: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parsed(**{"rewards": [1, 0], **row})
