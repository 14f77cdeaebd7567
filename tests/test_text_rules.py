"""The text rules, ours and the published ones, each in its order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.self_instruct.text_rules import (
    ALPACA_RULES,
    INSTANCE_RULES,
    OUR_INSTANCE_RULES,
    OUR_RULES,
    PUBLISHED_RULES,
    group_complaints,
    instance_complaint,
    task_complaint,
)


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("Name a\x00 fish that swims.", r"holds the control character '\x00'"),
        ("Name a fish.", "3 words, fewer than 4"),
        ("Name a fish that " + "swims and " * 200, "404 words, more than 150"),
        ("- Name a fish that swims fast.", "begins with '-'"),
        ("Write a program that sorts a list of fish.", "begins with"),
        ("Describe the fish in this picture.", "needs more than text"),
        ("The fish was in the water, and it was cold.", "asks for nothing"),
    ],
)
def test_texts_that_are_no_tasks(task: str, reason: str) -> None:
    said = task_complaint(task, OUR_RULES)
    assert said is not None and reason in said


@pytest.mark.parametrize(
    "task",
    ["Name three fish that swim fast.", '"Carp": is that a fish?', "说出三种鱼。", "Écrivez un poème sur la mer."],
)
def test_texts_that_are_tasks(task: str) -> None:
    assert task_complaint(task, OUR_RULES) is None


def broken(task: str) -> list[str]:
    return [name for name, rule in PUBLISHED_RULES if rule(task) is not None]


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("Name a red fish", []),
        ("Name a fish", ["too_few_words"]),
        ("word " * 150, []),
        ("word " * 151, ["too_many_words"]),
        ("Describe what the GRAPH shows", ["listed_word"]),
        ("Tell me how to go to the moon", ["listed_word"]),
        ("Describe a paragraph on mapping and profiles", []),
        ("Write A Program to sort files", ["listed_word", "write_a_program"]),
        ("Please write a program to sort numbers", []),
        ('"Carp": is that a fish?', ["punctuation_first"]),
        ("“Carp”: is that a fish?", ["not_ascii_first"]),
        ("Écrivez un poème sur la mer", ["not_ascii_first"]),
        ("说出三种鱼。", ["too_few_words", "not_ascii_first"]),
        ("ßtop the music and the film now", []),  # the published code makes it "Sstop" before it looks
        ("", ["too_few_words"]),
    ],
)
def test_the_published_rules(task: str, names: list[str]) -> None:
    assert broken(task) == names


def test_the_published_order() -> None:
    names = [
        "too_few_words",
        "too_many_words",
        "listed_word",
        "write_a_program",
        "punctuation_first",
        "not_ascii_first",
    ]
    assert [name for name, _ in PUBLISHED_RULES] == [name for name, _ in ALPACA_RULES] == names
    assert "more than" in str(task_complaint("- map " * 80, PUBLISHED_RULES))


def test_alpacas_list_of_words_is_longer() -> None:
    task = "Describe the mood of this music in words"
    assert task_complaint(task, PUBLISHED_RULES) is None
    assert task_complaint(task, ALPACA_RULES) == 'holds the word "music"'


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    for rules in (OUR_RULES, PUBLISHED_RULES, ALPACA_RULES):
        said = task_complaint(text, rules)
        assert said is None or said
    short, long = len(text.split()) <= 3, len(text.split()) > 150
    assert [name in broken(text) for name in ("too_few_words", "too_many_words")] == [short, long]


@pytest.mark.parametrize(
    ("given", "output", "ours", "published"),
    [
        ("2, 3", "5", None, None),
        ("", "a poem", None, None),
        ("2", "", "no output", "no output"),
        ("", "", "no output", "equals the input"),
        ("5", "5", "equals the input", "equals the input"),
        ("2:", "5", "ends with a colon", "ends with a colon"),
        ("2", "5: ", "ends with a colon", "ends with a colon"),
        ("", "这样：", "ends with a colon", None),
        ("2", "a\x01b", "control character", None),
        ("add. ", "5", "says the instruction again", None),
    ],
)
def test_instances(given: str, output: str, ours: str | None, published: str | None) -> None:
    for rules, words in ((OUR_INSTANCE_RULES, ours), (INSTANCE_RULES, published)):
        said = instance_complaint("Add.", given, output, rules)
        assert (said is None) == (words is None)
        assert words is None or words in str(said)


def test_instances_beside_each_other() -> None:
    twice = "another instance has the same input and output"
    assert group_complaints([("2", "4"), ("", "a"), ("", "b"), ("2", "4")]) == [None, None, None, twice]
    assert (
        group_complaints([("2", "4"), ("", "a"), ("2", "5")])
        == ["another instance has the same input and a different output"] * 3
    )
    assert group_complaints([]) == []
