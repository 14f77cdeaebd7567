"""Answers that only say again what they were given."""

import unicodedata
from collections.abc import Iterator

from tuneworks.factory.wording.phrases import tokens

PHRASE = 3
"""Words of a phrase that is looked for in the other text."""

LONGEST = 200_000
"""Characters of a text whose phrases are looked at."""

FIRST = 6
"""Words of a question that are looked for one by one, before it is looked for as a whole."""

_LABELS = frozenset(["answer", "input", "instruction", "output", "question", "response", *"答案输入出回复问题指令"])


def same_text(answer: str, question: str) -> str | None:
    """It says nothing but the question. Case, marks and new lines count: to change them may be the task."""
    plain = answer.isascii() and question.isascii()
    if plain and not all(word in answer for word in question.split(None, FIRST)[:FIRST]):
        return None
    said, asked = _spaced(answer), _spaced(question)
    if not asked or asked not in said:
        return None
    if said == asked and answer.strip().count("\n") > question.strip().count("\n"):
        return None
    times, rest = said.count(asked), set(tokens(said.replace(asked, " ")))
    again = rest <= _LABELS and (rest or times > 1) and len(tokens(asked)) > 2
    return f"only says again what it was given ({times}x)" if said == asked or again else None


def _spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def copied_share(answer: str, asked: str) -> float:
    """Share of the answer's phrases that stand in what was asked; 0 unless the answer holds its first and last one.

    An answer to "Correct this text: ..." is mostly what was asked, too, but it leaves out the request itself.
    """
    wanted = list(_phrases(asked))
    if not wanted or len(answer) < len(asked) // 2:
        return 0.0
    said = list(_phrases(answer))
    if not {wanted[0], wanted[-1]} <= set(said):
        return 0.0
    known = set(wanted)
    return sum(phrase in known for phrase in said) / len(said)


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    words = tokens(text[:LONGEST])
    return zip(*(words[place:] for place in range(PHRASE)), strict=False)
