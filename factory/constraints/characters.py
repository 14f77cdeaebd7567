"""Which characters an answer is written in: case, commas, digits, another script."""

from tuneworks.factory.constraints.constraint import Constraint
from tuneworks.factory.constraints.counting import han_share

SCRIPT = 0.8
"""Share of the words from which on a text is in a language."""


def has_letters(text: str) -> bool:
    return any(c.isalpha() for c in text)


CHARACTERS = (
    Constraint(
        "lower case",
        {"en": "Write everything in lower case, without a single capital letter."},
        lambda text, values: has_letters(text) and not any(c.isupper() for c in text),
    ),
    Constraint(
        "upper case",
        {"en": "WRITE EVERYTHING IN CAPITAL LETTERS."},
        lambda text, values: has_letters(text) and not any(c.islower() for c in text),
    ),
    Constraint(
        "no commas",
        {"en": "Do not use any commas.", "zh": "不要使用逗号。"},
        lambda text, values: not set(text) & set(",，"),
    ),
    Constraint(
        "no digits",
        {"en": "Do not write any digits.", "zh": "不要出现阿拉伯数字。"},
        lambda text, values: not any(c.isdigit() for c in text),
    ),
    Constraint(
        "Chinese",
        {"en": "Answer in Chinese.", "zh": "请用中文回答，不要夹杂英文。"},
        lambda text, values: han_share(text) >= SCRIPT,
    ),
    Constraint(
        "English",
        {"zh": "请用英文回答。"},
        lambda text, values: has_letters(text) and han_share(text) <= 1 - SCRIPT,
    ),
)
