"""How long an answer is, in words, sentences and paragraphs."""

import random

from tuneworks.factory.constraints.constraint import Constraint, Values
from tuneworks.factory.constraints.counting import paragraphs, sentences, words
from tuneworks.factory.language import Language


def _few(dice: random.Random, language: Language) -> Values:
    return {"n": dice.choice((20, 30, 40, 60))}


def _many(dice: random.Random, language: Language) -> Values:
    return {"n": dice.choice((50, 80, 100))}


def _handful(dice: random.Random, language: Language) -> Values:
    return {"n": dice.randint(2, 4)}


LENGTH = (
    Constraint(
        "at most so many words",
        {"en": "Use no more than {n} words.", "zh": "全文不要超过{n}个字。"},
        lambda text, values: len(words(text)) <= int(values["n"]),
        _few,
    ),
    Constraint(
        "at least so many words",
        {"en": "Write {n} words or more.", "zh": "请写{n}个字以上。"},
        lambda text, values: len(words(text)) >= int(values["n"]),
        _many,
    ),
    Constraint(
        "so many sentences",
        {"en": "Your answer must have exactly {n} sentences.", "zh": "回答必须正好有{n}句话。"},
        lambda text, values: sentences(text) == int(values["n"]),
        _handful,
    ),
    Constraint(
        "so many paragraphs",
        {
            "en": "Write exactly {n} paragraphs and leave an empty line between them.",
            "zh": "请正好写{n}段，段与段之间空一行。",
        },
        lambda text, values: paragraphs(text) == int(values["n"]),
        _handful,
    ),
)
