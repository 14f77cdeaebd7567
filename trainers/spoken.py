"""Which characters of a conversation its assistant speaks, for any chat template. This file loads no torch.

What the assistant says in a turn is what the template writes from the prompt of that turn (the turns before it, and the
header that asks for an answer) to the end of the turn. Most templates write a conversation by adding to it, so all
turns are learned in one sequence. Some write earlier turns otherwise once others follow: they drop earlier thinking, or
fold the system turn into the last question. Then each turn is a sequence of its own, as the model sees it in answering.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tuneworks.factory.errors import InputError

Turns = Sequence[Mapping[str, str]]

Which = Literal["all", "last"]

Learned = Which | int
"""The assistant's turns that are learned: all, the last one, or so many of the last ones."""

THOUGHT = "</think>"
"""What stands before this, templates write in ways of their own."""

Render = Callable[[Turns, bool], str]
"""Writes turns as a chat template does; with True the header of an answer follows."""


@dataclass(frozen=True, slots=True)
class Spoken:
    text: str
    spans: tuple[tuple[int, int], ...]
    """Where the assistant speaks, in characters: its words and the end of its turn, in order and apart."""

    def pieces(self) -> list[tuple[str, bool]]:
        """The text cut at the spans, and whether each piece is in one."""
        bounds = [0, *(at for span in self.spans for at in span), len(self.text)]
        cut = [(self.text[a:b], n % 2 == 1) for n, (a, b) in enumerate(pairwise(bounds))]
        return [(text, inside) for text, inside in cut if text]


def spoken(prompt: Turns, completion: Turns, which: Learned, render: Render) -> list[Spoken]:
    """The assistant's turns of a conversation: one sequence, or one for each turn where the template needs it.

    All but `last` take those of the prompt as well, from the first question on. Raises InputError where the template
    refuses the conversation, or does not write an answer after the header that asks for it.
    """
    from jinja2 import TemplateError

    turns = [*prompt, *completion]
    asked = next((at for at, turn in enumerate(turns) if turn["role"] == "user"), 0)
    first = len(prompt) if which == "last" else asked
    answers = [at for at in range(first, len(turns)) if turns[at]["role"] == "assistant"]
    answers = answers[-which:] if isinstance(which, int) else answers
    if not answers:
        raise InputError("a row has no turn of an assistant to learn; write role: assistant in its completion")
    try:
        each = [(render(turns[:at], True), render(turns[: at + 1], False)) for at in answers]
    except (TemplateError, TypeError) as error:
        roles = ", ".join(turn["role"] for turn in turns)
        raise InputError(
            f"the model's chat template refuses a conversation of {roles} ({error}); leave such records out, or name "
            "a model whose template takes them"
        ) from error
    for at, (before, after) in zip(answers, each, strict=True):
        if not after.startswith(before):
            raise InputError(_parted(before, after))
        if turns[at]["content"].rpartition(THOUGHT)[2].strip() not in after[len(before) :]:
            raise InputError(
                f"the model's chat template does not write what the assistant says ({turns[at]['content'][:60]!r}); "
                "name a model for text alone, or under args a chat_template_path (.jinja)"
            )
    alone = [Spoken(after, ((len(before), len(after)),)) for before, after in each]
    if len(alone) < 2 or not all(alone[-1].text.startswith(text) for pair in each for text in pair):
        return alone
    return [Spoken(alone[-1].text, tuple(span for turn in alone for span in turn.spans))]


def _parted(before: str, after: str) -> str:
    same = next(at for at, (a, b) in enumerate(zip(before, f"{after}\0", strict=False)) if a != b)
    return (
        f"the model's chat template asks for an answer with {before[same:][:60]!r} and writes an answer that was given "
        f"as {after[same:][:60]!r}, so nobody can say where it begins; name a model whose template writes both alike, "
        "or under args a chat_template_path (.jinja) that does"
    )
