"""Constraints that a program can check: an answer that keeps to each, and one that does not."""

import random

import pytest

from tuneworks.factory.constraints import CONSTRAINTS, Asked, constrained
from tuneworks.factory.constraints.constraint import Value
from tuneworks.factory.constraints.counting import numbers, paragraphs, sentences, times, words
from tuneworks.factory.language import Language, language_of

BY_NAME = {constraint.name: constraint for constraint in CONSTRAINTS}

CASES: list[tuple[str, dict[str, Value], str, str]] = [
    ("at most so many words", {"n": 3}, "one two three", "one two three four"),
    ("at most so many words", {"n": 4}, "下雨了呢。", "今天下雨了。"),
    ("at least so many words", {"n": 3}, "one two three", "one, two - !"),
    ("so many sentences", {"n": 2}, "It rained 3.5 hours. Then it stopped!", "It rained."),
    ("so many sentences", {"n": 2}, "下雨了。我很高兴！", "下雨了"),
    ("so many paragraphs", {"n": 2}, "One.\n\nTwo.", "One.\nTwo."),
    ("a word is used", {"word": "quiet"}, "A Quiet day.", "A disquieted day."),
    ("a word is used", {"word": "安静"}, "这里很安静。", "这里很静。"),
    ("a word is avoided", {"word": "is"}, "This was it.", "It is this."),
    ("a word so many times", {"word": "bright", "n": 2}, "Bright, bright.", "Brightly bright."),
    ("how it begins", {"phrase": "To tell the truth"}, '"To  tell the Truth, no."', "Well, to tell the truth"),
    ("how it ends", {"phrase": "今天就说到这里。"}, "好了。今天就说到这里。", "今天就说到这里。再见"),
    ("so many bullet points", {"n": 2}, "See:\n- one\n- two", "- one\n-two"),
    ("a numbered list", {"n": 2}, "1. one\n2) two", "1. one\n3. two"),
    ("a title", {}, "[[Rain]]\nIt rains.", "[Rain]\nIt rains."),
    ("quotation marks around it", {}, "“下雨了。”", '"It rains," he said.'),
    ("JSON alone", {}, '```json\n{"a": [1]}\n```', 'Here: {"a": 1}'),
    ("JSON alone", {}, '{"a": 1}', "[1, 2]"),
    ("parts set apart", {"n": 2}, "One\n***\nTwo", "One\n***\n"),
    ("lower case", {}, "it rains in köln.", "It rains."),
    ("upper case", {}, "IT RAINS.", "IT RAINS a bit."),
    ("no commas", {}, "It rains.", "下雨，打雷。"),
    ("no digits", {}, "two days", "2 days"),
    ("Chinese", {}, "今天下雨，我用GPS。", "It rains 今天"),
    ("English", {}, "It often rains in the old town of 京.", "今天下雨。"),
]


@pytest.mark.parametrize(("name", "values", "kept", "broken"), CASES)
def test_what_keeps_to_a_constraint_and_what_does_not(
    name: str, values: dict[str, Value], kept: str, broken: str
) -> None:
    constraint = BY_NAME[name]
    asked = Asked("Describe the rain.", constraint, values, "en" if "en" in constraint.said else "zh")
    assert asked.met_by(f" {kept}\n")
    assert not asked.met_by(broken)
    assert not asked.met_by("  \n")


def test_every_constraint_has_a_case() -> None:
    assert {name for name, *_ in CASES} == set(BY_NAME)
    assert len(CONSTRAINTS) >= 15


@pytest.mark.parametrize("language", ["en", "zh"])
def test_constraints_are_drawn_by_the_dice_and_said_in_full(language: Language) -> None:
    drawn = list(constrained(CONSTRAINTS, language, 3, random.Random(4)))
    assert drawn == list(constrained(CONSTRAINTS, language, 3, random.Random(4)))
    of_language = [constraint for constraint in CONSTRAINTS if language in constraint.said]
    assert len(drawn) == 3 * len(of_language) and len(of_language) >= 15
    for one in drawn:
        assert "{" not in one.prompt and language_of(one.prompt) == language
        assert all(str(value) in one.prompt for value in one.values.values())
    for constraint in of_language:
        assert len({one.task for one in drawn if one.constraint is constraint}) == 3


def test_counting() -> None:
    assert words("Don't count - this, café 北京 x2.") == ["don't", "count", "this", "café", "北", "京", "x2"]
    assert sentences('He said "No." Then e.g. nothing... 3.14 is a number?') == 4
    assert sentences("") == 0
    assert paragraphs("\n\na\n \nb\nc\n\n") == 2
    assert numbers("1. a\n 2) b\n3、c\nin 4. d") == [1, 2, 3]
    assert times("Simple, simply SIMPLE", "simple") == 2 and times("很很好", "很") == 2
