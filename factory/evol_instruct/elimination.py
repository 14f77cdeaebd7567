"""Elimination: which evolutions failed, by the paper's rules that need no judge (arXiv:2304.12244, section 3.2).

A rule is a phrase with the words or the number that decided, or None. Rule 1, no information gain, is in equality.py.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from tuneworks.factory.evol_instruct.prompts import Prompts
from tuneworks.factory.language import Language
from tuneworks.factory.rouge import rouge_l, unicode_tokens

Rule = Literal["no_gain", "sorry", "blank", "copied", "cheap"]
RULES: tuple[Rule, ...] = get_args(Rule)
PAPER_RULES: tuple[Rule, ...] = ("no_gain", "sorry", "blank", "copied")
"""The paper's four, in its order."""

SORRY_WORDS: dict[Language, int] = {"en": 80, "zh": 120}
"""An answer that says sorry is an answer all the same from so many words (in Chinese: characters) on."""

PHRASE: dict[Language, int] = {"en": 8, "zh": 14}
"""Words in a row that no evolution has in common with our prompt by chance."""

MOST_SIMILAR, FEWEST_NEW_WORDS = 0.9, 4

_SORRY: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\bsorry\b"),
    "zh": re.compile(r"\bsorry\b|抱歉|对不起|不好意思|很遗憾"),
}
_APOLOGY = re.compile(r"\bsorry\b|\bapolog|道歉|抱歉|对不起|致歉|遗憾")
_STOP_WORDS = frozenset(
    unicode_tokens(
        "a about above after again all also am an and any are as at be because been before being below between both but"
        " by can could d did do does doing down during each few for from further had has have having he her here hers"
        " him his how i if in into is it its itself just ll m may me might more most must my myself nor of off on once"
        " only or other our ours out over own re s same shall she should so some such t than that the their theirs them"
        " then there these they this those through to too under until up ve very was we were what when where which"
        " while who whom why will with would you your yours"
        " 的了是在和也就都而及与着或个这那我你他她它们之其于以把被给从向对到吗呢吧啊呀哦嗯么地得很"
    )
)
"""Yes, no and not are none of them: they can be the whole answer."""


def same_words(evolved: str, earlier: Iterable[str]) -> str | None:
    """It is one of the earlier requests but for case, marks and white space."""
    tokens = unicode_tokens(evolved)
    same = any(tokens == unicode_tokens(text) for text in earlier)
    return "the same words as before" if same else None


def hardly_new(evolved: str, parent: str) -> str | None:
    """It has too few words that its parent has not. A long request with a short one added is new all the same."""
    after, before = unicode_tokens(evolved), unicode_tokens(parent)
    score = rouge_l(after, before)
    new = round(len(after) - score * (len(after) + len(before)) / 2)  # tokens outside the common subsequence
    if score > MOST_SIMILAR and new < FEWEST_NEW_WORDS:
        return f"ROUGE-L {score:.3f} with its parent, over {MOST_SIMILAR:g}, and {new} new words"
    return None


def sorry(answer: str, instruction: str, language: Language) -> str | None:
    """Rule 2: the answer says sorry and is short. Not where the instruction is about saying sorry."""
    found = _SORRY[language].search(answer.lower())
    words = len(answer.split()) if language == "en" else len(unicode_tokens(answer))
    if found is None or words >= SORRY_WORDS[language] or _APOLOGY.search(instruction.lower()):
        return None
    return f'its answer says "{found[0]}" in {words} words, fewer than {SORRY_WORDS[language]}'


def blank(answer: str) -> str | None:
    """Rule 3: the answer has nothing but marks and stop words."""
    tokens = unicode_tokens(answer)
    if all(token in _STOP_WORDS for token in tokens):
        return f"its answer is only marks and {len(tokens)} stop words"
    return None


def copied(evolved: str, parent: str, words: Prompts, ours: Sequence[str], language: Language) -> str | None:
    """Rule 4: it has words of our prompt that its parent has not: labels, or a phrase of what we asked or showed."""
    text, before = evolved.lower(), parent.lower()
    leak = next((leak for leak in (words.label.lower(), *words.leaks) if leak in text and leak not in before), None)
    if leak is not None:
        return f'it copies words of the prompt: "{leak}"'
    size = PHRASE[language]
    known = {phrase for said in ours for phrase in _phrases(said, size)} - set(_phrases(parent, size))
    phrase = next((phrase for phrase in _phrases(evolved, size) if phrase in known), None)
    between = " " if language == "en" else ""
    return None if phrase is None else f'it copies a phrase of the prompt: "{between.join(phrase)}"'


def _phrases(text: str, size: int) -> list[tuple[str, ...]]:
    tokens = unicode_tokens(text)
    return [tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)]


def content_words(text: str) -> set[str]:
    return {token for token in unicode_tokens(text) if token not in _STOP_WORDS}
