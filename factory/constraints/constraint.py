"""Constraint: one thing that can be asked of any answer, how it is said, and whether an answer keeps to it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tuneworks.factory.language import Language

Value = str | int
Values = Mapping[str, Value]
"""What stands in the braces of the text, such as how many words."""


def no_values(dice: random.Random, language: Language) -> Values:
    return {}


@dataclass(frozen=True, slots=True)
class Constraint:
    name: str
    said: Mapping[Language, str]
    """The request, its values in braces; a language without one has no such constraint."""
    met: Callable[[str, Values], bool]
    """Whether an answer without white space around it keeps to it."""
    drawn: Callable[[random.Random, Language], Values] = field(default=no_values)


@dataclass(frozen=True, slots=True)
class Asked:
    """A constraint with its values, behind a task."""

    task: str
    constraint: Constraint
    values: Values
    language: Language

    @property
    def prompt(self) -> str:
        between = "" if self.language == "zh" else " "
        return f"{self.task}{between}{self.constraint.said[self.language].format(**self.values)}"

    def met_by(self, answer: str) -> bool:
        """An empty answer keeps to nothing."""
        text = answer.strip()
        return bool(text) and self.constraint.met(text, self.values)
