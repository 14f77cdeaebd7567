"""Answers that end in the middle of a sentence."""

import re
from typing import NamedTuple

from tuneworks.factory.rouge import UNSPACED
from tuneworks.factory.wording.fences import unbalanced_fences
from tuneworks.factory.wording.phrases import has_any, tokens

CUT_WORDS, LONE_CUT_WORDS = 14, 30
"""Fewest words of a last line that is cut off; the second where no sentence has a closing mark, by style."""

_OPEN_ENDS = ",，、:：-–—([{（“‘「《"
_SMALL_WORDS = frozenset(
    ["a", "an", "and", "are", "as", "at", "because", "but", "by", "for", "from", "has", "if", "in", "into", "is", "it",
     "its", "of", "on", "or", "so", "that", "the", "their", "this", "to", "was", "with"]
)  # fmt: skip
_LAST_WORDS = frozenset(["it", "this", "so", "has", "was", "at", "by", "for", "in", "on", "with"])
_LETTER_START = re.compile(r"(?i)\s*(?:dear|hi|hello)\b")
_LETTER_END = re.compile(r"(?i)\b(?:regards|sincerely|yours|truly|best|thanks|gratitude|wishes|love|faithfully),$")
_CODE = re.compile(r"[{}=<>\\|]|\w\(|\[\w+\]|[#@]\w+$|https?://\S{0,300}$")  # or a tag, an address
_CODE_MARKS = (*"{}=<>\\|([#@", "://")
_ITEM = re.compile(r"\s*(?:[-*•+#>$]|\(?\w{1,3}[.)]\s)")  # of a list; or a heading, a quotation, a command
_SPEAKER = re.compile(r"[\"”'’.!?)]\s*[-–—~]\s*[\w., ]{2,40}$")  # who said it
_LABEL = re.compile(  # of a form, a timeline, a plan by days; not of an example, which a loop of examples is cut off in
    r"(?i)\s*(?!input|output|输入|输出)\w[\w .,'’/()-]{0,40}[:：]"
)
_ITEM_INSIDE = re.compile(r"\b\d{1,3}[.)] ")
_UNSPACED_END = re.compile(f"[{UNSPACED}]$")
_CLOSED = re.compile(r"[.!?](?!\S)|[。！？]")
TAIL, LONGEST = 80, 100_000
"""Characters that hold the end of a line; characters of a last line that are looked at."""


class Ending(NamedTuple):
    """An end that no sentence has."""

    at: str
    """The open mark or small word it ends at; empty where only the closing mark is missing."""
    words: int
    """Words of the last line."""
    marked: bool
    """Whether a sentence before has a closing mark."""


def truncated(text: str) -> str | None:
    """It ends in mid-sentence: at a comma, a colon, an "and", or after long prose without a closing mark."""
    end = open_ending(text)
    return None if end is None else ending_told(end, CUT_WORDS, LONE_CUT_WORDS)


def ending_told(end: Ending, fewest: int, fewest_lone: int) -> str | None:
    """What is wrong with the ending; fine is a last line of fewer words that only lacks its closing mark."""
    if end.at:
        return f'ends at "{end.at}" after {end.words} words of its last line'
    few = end.words < (fewest if end.marked else fewest_lone)
    return None if few else f"has no closing mark after the {end.words} words of its last line"


def open_ending(text: str) -> Ending | None:
    """How it ends where that is no end; None for code, an item of a list, a title, the last line of a letter."""
    text = text.rstrip()
    last = text[-1:]
    if not (last.isalpha() or (last and last in _OPEN_ENDS)) or unbalanced_fences(text):
        return None
    lines = text.splitlines()
    line = lines[-1][-LONGEST:]
    if _is_code(line):
        return None
    words, item = tokens(line), _ITEM.match(line) or _SPEAKER.search(line[-TAIL:])
    if last in _OPEN_ENDS:
        form = last == ":" and _labelled(lines) and _before(lines).rstrip().endswith(":")
        letter = _LETTER_START.match(line) or _LETTER_END.search(line[-TAIL:])
        return None if item or form or letter or len(tokens(text)) < 4 else Ending(last, len(words), False)
    if len(words) > 5 and words[-1] in _SMALL_WORDS - _LAST_WORDS and last.islower():
        return Ending(words[-1], len(words), False)
    prose = _UNSPACED_END.search(line) or sum(map(_SMALL_WORDS.__contains__, words)) > 2
    listed = item or len(_ITEM_INSIDE.findall(line)) > 2 or _labelled(lines)
    return Ending("", len(words), _CLOSED.search(text) is not None) if prose and not listed else None


def _labelled(lines: list[str]) -> bool:
    """Whether the last two lines have labels, and not the same line again."""
    last, before = lines[-1], _before(lines)
    return bool(_LABEL.match(last) and _LABEL.match(before) and last != before)


def _before(lines: list[str]) -> str:
    """The last line but one that is not blank."""
    return next((line for line in reversed(lines[:-1]) if line.strip()), "")


def _is_code(line: str) -> bool:
    return line.startswith(("    ", "\t")) or (has_any(line, _CODE_MARKS) and _CODE.search(line) is not None)
