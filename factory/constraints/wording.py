"""Which words an answer uses, and how it begins and ends."""

import random
from collections.abc import Mapping

from tuneworks.factory.constraints.constraint import Constraint, Values
from tuneworks.factory.constraints.counting import folded, times
from tuneworks.factory.language import Language

USED: Mapping[Language, tuple[str, ...]] = {
    "en": ("morning", "together", "quiet", "bright", "simple", "careful"),
    "zh": ("早晨", "一起", "安静", "明亮", "简单", "仔细"),
}
AVOIDED: Mapping[Language, tuple[str, ...]] = {
    "en": ("and", "very", "because", "you", "it", "is"),
    "zh": ("因为", "非常", "我们", "可以", "但是", "很"),
}
BEGINNINGS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Here is what I think", "To tell the truth", "As a matter of fact"),
    "zh": ("我是这样想的", "说实话", "事实上"),
}
ENDINGS: Mapping[Language, tuple[str, ...]] = {
    "en": ("That is all for today.", "I hope this helps you.", "Now it is your turn."),
    "zh": ("今天就说到这里。", "希望对你有帮助。", "现在轮到你了。"),
}


def _used(dice: random.Random, language: Language) -> Values:
    return {"word": dice.choice(USED[language])}


def _counted(dice: random.Random, language: Language) -> Values:
    return {"word": dice.choice(USED[language]), "n": dice.randint(2, 3)}


def _avoided(dice: random.Random, language: Language) -> Values:
    return {"word": dice.choice(AVOIDED[language])}


def _begun(dice: random.Random, language: Language) -> Values:
    return {"phrase": dice.choice(BEGINNINGS[language])}


def _ended(dice: random.Random, language: Language) -> Values:
    return {"phrase": dice.choice(ENDINGS[language])}


WORDING = (
    Constraint(
        "a word is used",
        {"en": 'Use the word "{word}" somewhere in it.', "zh": "其中要用到“{word}”这个词。"},
        lambda text, values: times(text, str(values["word"])) > 0,
        _used,
    ),
    Constraint(
        "a word is avoided",
        {"en": 'Never use the word "{word}".', "zh": "不要出现“{word}”。"},
        lambda text, values: times(text, str(values["word"])) == 0,
        _avoided,
    ),
    Constraint(
        "a word so many times",
        {"en": 'Use the word "{word}" exactly {n} times.', "zh": "“{word}”这个词要正好出现{n}次。"},
        lambda text, values: times(text, str(values["word"])) == values["n"],
        _counted,
    ),
    Constraint(
        "how it begins",
        {"en": 'The first words must be "{phrase}".', "zh": "开头必须是“{phrase}”。"},
        lambda text, values: folded(text.lstrip("\"'“‘")).startswith(folded(str(values["phrase"]))),
        _begun,
    ),
    Constraint(
        "how it ends",
        {"en": 'The last sentence must be "{phrase}"', "zh": "最后一句必须是“{phrase}”"},
        lambda text, values: folded(text.rstrip("\"'”’")).endswith(folded(str(values["phrase"]))),
        _ended,
    ),
)
