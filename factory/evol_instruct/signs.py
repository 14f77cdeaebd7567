"""Cheap signs that an evolved text is no good request, beyond the paper's rules: its length, layout and wording.

What the parent already had is not held against what was made of it.
"""

import re
from collections.abc import Callable, Iterator

from tuneworks.factory.evol_instruct.elimination import content_words
from tuneworks.factory.evol_instruct.operators import Operator
from tuneworks.factory.evol_instruct.prompts import Prompts
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import Record
from tuneworks.factory.rouge import rouge_l, unicode_tokens
from tuneworks.factory.wording import (
    asks_nothing,
    needs_attachment,
    refusal,
    repetition,
    self_reference,
    truncated,
    unbalanced_fences,
)

FEWEST_WORDS = 3
MOST_ITEMS = 10
MOST_ANSWER_LIKE = 0.7
SORRY_CHARACTERS = 400
"""A request that says sorry is a refusal up to here (the bound of h2o-wizardlm)."""

_ITEM = re.compile(r"(?m)^[ \t]{0,8}(?:\d{1,3}[.)、．]|[-*•])[ \t]{1,8}\S")
_DATA = re.compile(r"```|^\||[{<\[]", re.MULTILINE)

Sign = Callable[[str], str | None]
_WORDING: tuple[Sign, ...] = (refusal, self_reference, repetition, unbalanced_fences, needs_attachment, asks_nothing)


def bad_sign(
    evolved: str, instruction: str, parent: Record, operator: Operator, words: Prompts, language: Language
) -> str | None:
    """The first sign against the text `evolved`; `instruction` is what it asks, without its input."""
    return next(_signs(evolved, instruction, parent, operator, words, language), None)


def _signs(
    evolved: str, instruction: str, parent: Record, operator: Operator, words: Prompts, language: Language
) -> Iterator[str]:
    before = parent.prompt_text
    found = (
        _length(evolved, before, operator),
        _subject(evolved, before, operator),
        _layout(evolved, before, operator, language),
        _language(evolved, language),
        _talk(evolved, before, words),
        *(sign(evolved) for sign in _WORDING if sign(before) is None),
        truncated(instruction) if truncated(before) is None else None,
        _answers(evolved, parent),
    )
    yield from (reason for reason in found if reason is not None)


def _length(evolved: str, before: str, operator: Operator) -> str | None:
    new, old = len(unicode_tokens(evolved)), len(unicode_tokens(before))
    if new < FEWEST_WORDS:
        return f"{new} words, fewer than {FEWEST_WORDS}"
    if operator == "breadth":
        return f"{new} words, fewer than half of its parent's {old}" if 2 * new < old else None
    return f"{new} words, fewer than the {old} it should have added to" if new < old else None


def _subject(evolved: str, before: str, operator: Operator) -> str | None:
    old = content_words(before)
    if operator == "breadth" or not old or old & content_words(evolved):
        return None
    return f"it keeps none of its parent's {len(old)} words"


def _layout(evolved: str, before: str, operator: Operator, language: Language) -> str | None:
    if operator == "complicate_input":
        return None if _DATA.search(evolved.removeprefix(before)) else "it comes without data"
    items = len(_ITEM.findall(evolved))
    if items > max(MOST_ITEMS, len(_ITEM.findall(before))):
        return f"a list of {items} items, more than {MOST_ITEMS}"
    lines, spaces = evolved.count("\n"), evolved.count(" ")
    if language == "en" and lines > 2 * spaces and before.count("\n") <= 2 * before.count(" "):
        return f"{lines} line breaks and {spaces} spaces"
    return None


def _language(evolved: str, language: Language) -> str | None:
    if language == "zh" and not re.search(r"[\u4e00-\u9fff]", evolved):
        return "it is no longer in Chinese"
    return "it is no longer in the language of its parent" if language == "en" != language_of(evolved) else None


def _talk(evolved: str, before: str, words: Prompts) -> str | None:
    text, old = evolved.lower().replace("’", "'"), before.lower().replace("’", "'")
    said = next((phrase for phrase in words.chatter if phrase in text and phrase not in old), None)
    if said is None and len(text) < SORRY_CHARACTERS:
        said = next(
            (phrase for phrase in ("i'm sorry", "i am sorry", "很抱歉") if phrase in text and phrase not in old), None
        )
    return f'it talks as an assistant: "{said}"' if said else None


def _answers(evolved: str, parent: Record) -> str | None:
    tokens = unicode_tokens(evolved)
    like = max((rouge_l(tokens, unicode_tokens(a.text)) for a in parent.answers), default=0.0)
    return f"ROUGE-L {like:.3f} with the answer to its parent: it answers" if like > MOST_ANSWER_LIKE else None
