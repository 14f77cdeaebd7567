"""How an answer is laid out: lists, titles, quotation marks, JSON."""

import json
import random
import re

from tuneworks.factory.constraints.constraint import Constraint, Values
from tuneworks.factory.constraints.counting import items, numbers
from tuneworks.factory.language import Language

_FENCED = re.compile(r"^```(?:json)?[ \t]*\n(.*?)\n?```$", re.DOTALL)
_TITLE = re.compile(r"\[\[[^\[\]\n]+\]\]")
_SEPARATOR = re.compile(r"^[ \t]*\*\*\*[ \t]*$", re.MULTILINE)
_QUOTES = (('"', '"'), ("“", "”"), ("「", "」"))


def _some(dice: random.Random, language: Language) -> Values:
    return {"n": dice.randint(3, 5)}


def _two_or_three(dice: random.Random, language: Language) -> Values:
    return {"n": dice.randint(2, 3)}


def is_json_object(text: str) -> bool:
    """Bare, or in a fenced block and nothing else."""
    fenced = _FENCED.match(text)
    try:
        return isinstance(json.loads(fenced[1] if fenced else text), dict)
    except (ValueError, RecursionError):
        return False


def is_quoted(text: str) -> bool:
    return len(text) > 2 and any(text.startswith(left) and text.endswith(right) for left, right in _QUOTES)


def parts(text: str) -> int:
    """Stretches of text between lines of three asterisks; an empty one counts for nothing."""
    return sum(bool(part.strip()) for part in _SEPARATOR.split(text))


LAYOUT = (
    Constraint(
        "so many bullet points",
        {
            "en": 'Answer with exactly {n} bullet points, each on a line that begins with "- ".',
            "zh": "请用正好{n}个要点回答，每个要点单独一行，以“- ”开头。",
        },
        lambda text, values: items(text) == int(values["n"]),
        _some,
    ),
    Constraint(
        "a numbered list",
        {
            "en": "Answer with a numbered list that runs from 1 to {n}.",
            "zh": "请用编号列表回答，编号从1到{n}。",
        },
        lambda text, values: numbers(text) == list(range(1, int(values["n"]) + 1)),
        _some,
    ),
    Constraint(
        "a title",
        {
            "en": "Give it a title in double square brackets, such as [[A title]].",
            "zh": "请加一个标题，放在双方括号里，例如[[标题]]。",
        },
        lambda text, values: _TITLE.search(text) is not None,
    ),
    Constraint(
        "quotation marks around it",
        {"en": "Put your whole answer in double quotation marks.", "zh": "请把整个回答放在双引号里。"},
        lambda text, values: is_quoted(text),
    ),
    Constraint(
        "JSON alone",
        {"en": "Answer with one JSON object and nothing else.", "zh": "只用一个JSON对象回答，不要写别的内容。"},
        lambda text, values: is_json_object(text),
    ),
    Constraint(
        "parts set apart",
        {
            "en": "Divide it into {n} parts, with a line of three asterisks (***) between one part and the next.",
            "zh": "请分成{n}个部分，部分之间用单独一行的三个星号（***）隔开。",
        },
        lambda text, values: parts(text) == int(values["n"]),
        _two_or_three,
    ),
)
