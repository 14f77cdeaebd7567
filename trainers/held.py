"""A held-out record of rows of quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Turns = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Held:
    prompts: Mapping[str, Turns]
    """Its prompt under the control of each quality."""
    answers: Mapping[str, Sequence[Turns]]
    """Its answers, by those qualities that it has."""
