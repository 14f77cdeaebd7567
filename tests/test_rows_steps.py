"""Labelled steps: from a file's rows over a record and a table to the rows a process reward learns from, and back."""

import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import PAIR, REWARD, Answer, Record, from_table, to_table
from tuneworks.factory.steps import joined, labels_of, steps_of
from tuneworks.pipelines.sources.layouts import Parsed, parse
from tuneworks.trainers.rows import STEPS, sft_reason, steps_reason, steps_rows


def parsed(**row: Any) -> Parsed:
    (found,) = parse(row, "row 1")
    return found


def record(found: Parsed) -> Record:
    return Record.born(found.prompt, answers=found.answers, meta=found.facts)


def step(*tries: tuple[str, int | None], chosen: int | None = 0, by_hand: object = None) -> dict[str, Any]:
    completions = [{"text": text, "rating": rating, "flagged": None} for text, rating in tries]
    return {"completions": completions, "human_completion": by_hand, "chosen_completion": chosen}


def line(*steps: dict[str, Any], finish_reason: str = "solution") -> dict[str, Any]:
    question = {"problem": "1 + 1?", "ground_truth_answer": "2"}
    return {"question": question, "label": {"steps": list(steps), "finish_reason": finish_reason}}


def test_a_stepwise_row_becomes_an_answer_and_comes_back() -> None:
    made = record(parsed(prompt="1 + 1?", completions=["One and one.", " So\n\n3. "], labels=[True, False]))
    (again,) = from_table(to_table([made]))
    (row,) = steps_rows([again])
    assert made.answers[0].text == "One and one.\n\nSo\n3."
    assert row["prompt"] == [{"role": "user", "content": "1 + 1?"}]
    assert (row["completions"], row["labels"]) == (["One and one.", "So\n3."], [1.0, 0.0])
    assert pl.DataFrame([row], schema=STEPS).rows(named=True) == [row]


def test_what_an_export_wrote_is_read_again() -> None:
    labels = [True, 0.5, None, 0]
    (row,) = steps_rows([record(parsed(prompt="1?", completions=["a", "b", "c", "d"], labels=labels))])
    (again,) = steps_rows([record(parsed(**row))])
    assert again["labels"] == [1.0, 0.5, None, 0.0]
    assert {**again, "id": row["id"]} == row


@pytest.mark.parametrize(("labels", "good"), [([True, True], 1.0), ([True, 0.5], 1.0), ([True, False], 0.0)])
def test_an_answer_with_a_wrong_step_is_never_imitated(labels: list[object], good: float) -> None:
    made = record(parsed(prompt="1?", completions=["a", "b"], labels=labels))
    assert (made.answers[0].scores[REWARD], made.answers[0].scores[PAIR]) == (good, good)
    assert (sft_reason(made) is None) == bool(good)


@pytest.mark.parametrize(
    ("completions", "labels", "reason"),
    [
        (["a", "b"], [True], "it has 2 steps (completions) and 1 labels; each step needs one"),
        (["a"], None, "it has 1 steps (completions) and 0 labels; each step needs one"),
        (["a", " \n"], [True, False], "step 2 is empty"),
        (["a", "b"], [True, "good"], "the label of step 2 is 'good', and one is true, false, 0.5 or null"),
        (["a", "b"], [-1, 1], "the label of step 1 is -1, and one is true, false, 0.5 or null"),
        (["a"], [float("nan")], "the label of step 1 is nan, and one is true, false, 0.5 or null"),
        (["a"], [None], "none of its steps has a label"),
        ([], [], "none of its steps has a label"),
    ],
)
def test_a_bad_row_is_set_aside_with_the_reason(completions: object, labels: object, reason: str) -> None:
    found = parsed(prompt="1?", completions=completions, labels=labels)
    assert (found.layout, found.reason) == ("stepwise", reason)


def test_columns_that_other_rows_of_a_table_have_are_not_steps() -> None:
    found = parsed(prompt="1?", completion="2", completions=None, labels=None)
    assert (found.layout, [answer.text for answer in found.answers]) == ("prompt", ["2"])


def test_steps_that_are_no_texts_are_a_mistake_in_the_file() -> None:
    with pytest.raises(InputError, match="the completions of row 1 are no list of texts"):
        parsed(prompt="1?", completions=[["a"]], labels=[True])
    with pytest.raises(InputError, match="row 1 has completions, labels, and none of instruction"):
        parsed(completions=["a"], labels=[True])


def test_a_prm800k_line_keeps_every_label_once() -> None:
    steps = (step(("a", 1)), step(("b", -1), ("c", 0), chosen=1), step(("d", -1), ("e", 1), chosen=None))
    found = parsed(**line(*steps, finish_reason="found_error"))
    made = record(found)
    rows = [(row["completions"], row["labels"]) for row in steps_rows([made])]
    assert rows == [
        (["a", "c", "d"], [1.0, 0.5, 0.0]),
        (["a", "b"], [None, 0.0]),
        (["a", "c", "e"], [None, None, 1.0]),
    ]
    assert found.layout == "prm800k"
    assert made.meta == {"finish_reason": "found_error", "reference": "2"}
    assert [REWARD in answer.scores for answer in made.answers] == [True, False, False]
    assert sft_reason(made) == "its best answer is marked as a bad one"


@pytest.mark.parametrize("by_hand", ["by hand", {"text": "by hand", "rating": None}])
def test_a_step_that_a_person_wrote_is_right(by_hand: object) -> None:
    found = parsed(**line(step(("a", -1), ("b", -1), chosen=None, by_hand=by_hand), step(("c", None))))
    rows = [(row["completions"], row["labels"]) for row in steps_rows([record(found)])]
    assert rows == [(["by hand", "c"], [1.0, None]), (["a"], [0.0]), (["b"], [0.0])]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (line(step(("a", 1)), finish_reason="bad_problem"), "called the problem broken"),
        (line(step(("a", 1)), finish_reason="give_up"), "gave up"),
        (line(step(("a", 1)), step((" ", 1))), "step 2 is empty"),
        (line(step(("a", 7))), "its label is not as PRM800K's are .KeyError: 7."),
        (line(step(chosen=None)), "its label is not as PRM800K's are .IndexError"),
        (line({}), "its label is not as PRM800K's are .KeyError: 'completions'"),
        (line(), "none of its steps has a label"),
    ],
)
def test_a_prm800k_line_that_cannot_be_used(row: dict[str, Any], reason: str) -> None:
    found = parsed(**row)
    assert re.search(reason, found.reason or "")


def test_why_a_record_gives_no_steps() -> None:
    assert steps_reason(Record.born("1?", answers=[Answer("a")])) == "no step of its answers has a label"
    cut = Record.born("1?", answers=[Answer("a", scores={"step 1": 1.0, "step 2": 0.0})])
    assert list(steps_rows([cut])) == []
    assert steps_reason(cut) == (
        "its answers have fewer steps than labels: their texts were changed after they were labelled"
    )


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.booleans()), min_size=1))
def test_steps_survive_whatever_they_hold(steps: list[tuple[str, bool]]) -> None:
    told = [(text, label) for text, label in steps if text.strip()]
    texts, labels = [text for text, _ in told], [label for _, label in told]
    assert len(steps_of(joined(texts))) == len(texts)
    found = parsed(prompt="1?", completions=texts, labels=labels)
    if found.reason is None:
        assert labels_of(found.answers[0]) == [float(label) for label in labels]
