"""Steps of an answer and their labels, as PRM800K (2305.20050) and Math-Shepherd (2312.08935) have them.

An answer's text is its steps with an empty line between them. The label of its third step is the score `step 3`, so
that labels go wherever the answer goes. A step without such a score was not judged.
"""

import re
from collections.abc import Sequence
from typing import Literal

from tuneworks.factory.record import Answer

RIGHT, NEUTRAL, WRONG = 1.0, 0.5, 0.0
"""Labels. A neutral step is not wrong, and brings the solution no further."""

Apart = Literal["paragraphs", "lines"]
"""What ends a step: an empty line, or every line."""

_ENDS = {"paragraphs": re.compile(r"\n\s*\n"), "lines": re.compile(r"\n")}
_NAME = re.compile(r"step ([1-9][0-9]*)")


def steps_of(text: str, apart: Apart = "paragraphs") -> list[str]:
    return [step.strip() for step in _ENDS[apart].split(text) if step.strip()]


def joined(steps: Sequence[str]) -> str:
    """The text of an answer; an empty line within a step would end it, and is taken out."""
    return "\n\n".join(_ENDS["paragraphs"].sub("\n", step.strip()) for step in steps)


def labelled(steps: Sequence[str], labels: Sequence[float | None]) -> Answer:
    """The answer of these steps, with a score for each label there is."""
    scores = {f"step {at}": label for at, label in enumerate(labels, 1) if label is not None}
    return Answer(joined(steps), by="file", scores=scores)


def is_label(score: str) -> bool:
    return _NAME.fullmatch(score) is not None


def labels_of(answer: Answer) -> list[float | None]:
    """A label or None for each step; more than there are steps where the text was changed after it was labelled."""
    found = {int(match[1]): value for name, value in answer.scores.items() if (match := _NAME.fullmatch(name))}
    steps = max(len(steps_of(answer.text)), max(found, default=0))
    return [found.get(at) for at in range(1, steps + 1)]
