"""Why a candidate is no task, and why an instance cannot be trusted, by the text alone: our rules and the published.

Each set is a list of (name, rule) in the order in which the rules are asked; a rule says in a few words, with the
number or the words that decided, why the text goes, or None. The published sets are those of the code that was released
with Self-Instruct (arXiv:2212.10560) and with Stanford Alpaca, which differs from it in its word list alone.
"""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from tuneworks.factory.rouge import unicode_tokens
from tuneworks.factory.wording import asks_nothing, needs_attachment

Rule = Callable[[str], str | None]
"""Judges an instruction."""

InstanceRule = Callable[[str, str, str], str | None]
"""Judges an instruction, its input and its output."""

RuleSet = Literal["ours", "published"]

FEWEST_WORDS, MOST_WORDS = 4, 150

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def no_control(text: str) -> str | None:
    """No model means such a character, and not every file can hold it."""
    found = _CONTROL.search(text)
    return f"holds the control character {found[0]!r}" if found else None


def _too_few(count: Callable[[str], int], task: str) -> str | None:
    return f"{count(task)} words, fewer than {FEWEST_WORDS}" if count(task) < FEWEST_WORDS else None


def _too_many(count: Callable[[str], int], task: str) -> str | None:
    return f"{count(task)} words, more than {MOST_WORDS}" if count(task) > MOST_WORDS else None


def _words(task: str) -> int:
    """Of any language: a Chinese character counts as a word."""
    return len(unicode_tokens(task))


def _pieces(task: str) -> int:
    return len(task.split())


def _no_letter_first(task: str) -> str | None:
    return None if task[:1].isalnum() or task[:1] in {*"\"'“‘「《"} else f"begins with {task[:1]!r}"


def _write_a_program(task: str) -> str | None:
    # The published code looks for the capital after it has lowered all letters but the first.
    return 'begins with "Write a program"' if task.capitalize().startswith("Write a program") else None


def _punctuation_first(task: str) -> str | None:
    first = task.capitalize()[:1]
    return f"begins with the punctuation {first!r}" if first and first in string.punctuation else None


def _not_ascii_first(task: str) -> str | None:
    first = task.capitalize()[:1]
    return None if first.isascii() else f"begins with {first!r}, which is not ASCII"


def _listed_word(words: re.Pattern[str], task: str) -> str | None:
    found = words.search(task.capitalize())
    return f'holds the word "{found[0].lower()}"' if found else None


def _whole_words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)


_WORDS = ("image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot")
_SELF_INSTRUCT_WORDS = _whole_words(*_WORDS, "go to")
_ALPACA_WORDS = _whole_words(*_WORDS, "go to", "video", "audio", "music", "flowchart", "diagram")

OUR_RULES: Sequence[tuple[str, Rule]] = (
    ("control_characters", no_control),
    ("too_few_words", partial(_too_few, _words)),
    ("too_many_words", partial(_too_many, _words)),
    ("first_character", _no_letter_first),
    ("write_a_program", _write_a_program),
    ("needs_attachment", needs_attachment),
    ("asks_nothing", asks_nothing),
)

PUBLISHED_RULES: Sequence[tuple[str, Rule]] = (
    ("too_few_words", partial(_too_few, _pieces)),
    ("too_many_words", partial(_too_many, _pieces)),
    ("listed_word", partial(_listed_word, _SELF_INSTRUCT_WORDS)),
    ("write_a_program", _write_a_program),
    ("punctuation_first", _punctuation_first),
    ("not_ascii_first", _not_ascii_first),
)

ALPACA_RULES: Sequence[tuple[str, Rule]] = tuple(
    (name, partial(_listed_word, _ALPACA_WORDS) if name == "listed_word" else rule) for name, rule in PUBLISHED_RULES
)

TASK_RULES: Mapping[RuleSet, Sequence[tuple[str, Rule]]] = {"ours": OUR_RULES, "published": PUBLISHED_RULES}


def _equals_input(_: str, given: str, output: str) -> str | None:
    return "the output equals the input" if given == output else None


def _no_output(_: str, __: str, output: str) -> str | None:
    return None if output else "the reply holds no output"


def _ends_with(colons: tuple[str, ...], _: str, given: str, output: str) -> str | None:
    ends = given.strip().endswith(colons) or output.strip().endswith(colons)
    return "the input or output ends with a colon" if ends else None


def _instance_control(_: str, given: str, output: str) -> str | None:
    return no_control(given) or no_control(output)


def _says_instruction(instruction: str, given: str, _: str) -> str | None:
    same = given and " ".join(given.split()).casefold() == " ".join(instruction.split()).casefold()
    return "the input only says the instruction again" if same else None


INSTANCE_RULES: Sequence[tuple[str, InstanceRule]] = (
    ("output_equals_input", _equals_input),
    ("no_output", _no_output),
    ("ends_with_colon", partial(_ends_with, (":",))),
)
"""The published ones."""

OUR_INSTANCE_RULES: Sequence[tuple[str, InstanceRule]] = (
    ("no_output", _no_output),
    ("output_equals_input", _equals_input),
    ("ends_with_colon", partial(_ends_with, (":", "："))),
    ("input_says_instruction", _says_instruction),
    ("control_characters", _instance_control),
)


def task_complaint(task: str, rules: Sequence[tuple[str, Rule]]) -> str | None:
    """What the first broken rule says, or None."""
    return next((said for _, rule in rules if (said := rule(task)) is not None), None)


def instance_complaint(
    instruction: str, given: str, output: str, rules: Sequence[tuple[str, InstanceRule]] = OUR_INSTANCE_RULES
) -> str | None:
    """What the first broken rule says, or None."""
    return next((said for _, rule in rules if (said := rule(instruction, given, output)) is not None), None)


def group_complaints(instances: Sequence[tuple[str, str]]) -> list[str | None]:
    """Per (input, output) of one task why it goes beside the others: one input, and not an empty one, with two outputs
    takes all with it; a repeat goes alone. As published."""
    outputs: dict[str, set[str]] = {}
    for given, output in instances:
        outputs.setdefault(given, set()).add(output)
    if any(given and len(said) > 1 for given, said in outputs.items()):
        return ["another instance has the same input and a different output"] * len(instances)
    seen: set[tuple[str, str]] = set()
    complaints: list[str | None] = []
    for instance in instances:
        complaints.append("another instance has the same input and output" if instance in seen else None)
        seen.add(instance)
    return complaints
