"""Loops: letters, a sentence, an item of a list or phrases that come again and again."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tuneworks.factory.wording.phrases import tokens

SHORTEST_RUN = 20
"""Letters in the shortest run that is looked at; a limit on letters cannot go below."""
SENTENCE_TIMES, SENTENCE_TOKENS = 5, 3
"""A sentence is in a loop when it comes so often and has so many tokens."""
ITEM_TIMES = 4
"""The same of an item in a numbered list."""
PHRASE, LOOP_TOKENS = 8, 48
"""Tokens in a phrase that comes again, and fewest in a text that is judged by them."""
JUDGED = 200_000
"""Characters of a text that are looked at; a loop shows before."""


class Loops(NamedTuple):
    """The loudest loop of each kind, in numbers; a number is 0 where there is none."""

    letters: int
    """Letters in the longest run that repeats `piece`, one to eight of them, over and over."""
    piece: str
    sentence_times: int
    sentence_share: float
    """Share of the text's tokens that the sentence makes up which makes up most of them."""
    item: str
    item_times: int
    item_share: float
    """Share of a numbered list that is one item, the one that comes most often."""
    tokens: int
    phrase_share: float
    """Share of the tokens that are inside of a phrase that came before."""


class Limits(NamedTuple):
    """What is a loop; None lets a kind of loop pass. A chorus stays below."""

    letters: int | None = 40
    sentence_share: float | None = 0.4
    item_share: float | None = 0.5
    phrase_share: float | None = 0.6


def repetition(text: str) -> str | None:
    """It runs in a loop: letters, a sentence or line, or phrases come again and again."""
    return loop_told(loops(text), Limits())


def loops(text: str) -> Loops:
    text = text[:JUDGED]
    words = tokens(text)
    letters, piece = _longest_run(text, words)
    item, item_times, item_share = _commonest_item(text)
    sentence_times, sentence_share, phrase_share = 0, 0.0, 0.0
    # What comes again brings words, and threes of words, that came before: a phrase PHRASE - 2 threes.
    if len(words) - len(set(words)) >= PHRASE and _threes_again(words) >= SENTENCE_TIMES - 1:
        if max(Counter(_threes(words)).values()) >= SENTENCE_TIMES:
            sentence_times, sentence_share = _loudest_sentence(text, len(words))
        phrase_share = _repeated_share(words)
    return Loops(letters, piece, sentence_times, sentence_share, item, item_times, item_share, len(words), phrase_share)


def loop_told(found: Loops, limits: Limits) -> str | None:
    """The first loop beyond its limit."""
    if limits.letters is not None and found.letters >= limits.letters:
        return f'repeats "{found.piece}" {found.letters // len(found.piece)} times in a row'
    if limits.sentence_share is not None and found.sentence_times and found.sentence_share >= limits.sentence_share:
        return f"says the same sentence {found.sentence_times} times, {found.sentence_share:.0%} of the text"
    if limits.item_share is not None and found.item_times and found.item_share > limits.item_share:
        return f'lists "{found.item}" {found.item_times} times'
    share, long = found.phrase_share, found.tokens >= LOOP_TOKENS
    if limits.phrase_share is not None and long and share >= limits.phrase_share:
        return f"repeats itself: {share:.0%} of its words are in phrases of {PHRASE} that came before"
    return None


_RUN = re.compile(rf"[^\W\d_]{{{SHORTEST_RUN},}}")
_LOOP = re.compile(r"(.{1,8}?)\1{4,}")


def _longest_run(text: str, words: list[str]) -> tuple[int, str]:
    if text.isascii() and max(map(len, words), default=0) < SHORTEST_RUN:
        return 0, ""
    found = [(len(loop[0]), loop[1]) for run in _RUN.findall(text) for loop in _LOOP.finditer(run)]
    longest = max(found, key=lambda loop: loop[0], default=(0, ""))
    return longest if longest[0] >= SHORTEST_RUN else (0, "")


def _threes(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(words, words[1:], words[2:], strict=False)


def _threes_again(words: list[str]) -> int:
    return len(words) - 2 - len(set(_threes(words)))


_NUMBERED_ITEM = re.compile(r"(?m)^[ \t]{0,8}\d{1,3}[.)、．][ \t]{0,8}(\S.*)$")


def _commonest_item(text: str) -> tuple[str, int, float]:
    """Only of a list that is long enough and most of the text; blanks to fill in are no items."""
    items = _NUMBERED_ITEM.findall(text) if text.count("\n") >= ITEM_TIMES - 1 else []
    if len(items) < ITEM_TIMES or 2 * len(items) < sum(not line.isspace() for line in text.split("\n") if line):
        return "", 0, 0.0
    item, times = Counter(" ".join(tokens(item)) for item in items).most_common(1)[0]
    return (item, times, times / len(items)) if item and times >= ITEM_TIMES else ("", 0, 0.0)


_MARKS = re.compile(r"(?<![.!?;])[.!?;]++(?!\S)|[。！？；]+")


def _sentences(text: str) -> list[str]:
    """Sentences and lines; the row of a table is one, whatever marks its cells hold."""
    return [s for line in text.splitlines() for s in ([line] if "|" in line else _MARKS.split(line))]


def _loudest_sentence(text: str, total: int) -> tuple[int, float]:
    """How often the sentence comes that makes up most of the text, and its share of the tokens."""
    sentences = Counter(map(tuple, map(tokens, _sentences(text)))).items()
    said = [(n * len(s), n) for s, n in sentences if n >= SENTENCE_TIMES and len(s) >= SENTENCE_TOKENS]
    covered, times = max(said, default=(0, 0))
    return times, covered / total


def _repeated_share(words: list[str]) -> float:
    seen: set[tuple[str, ...]] = set()
    covered = end = 0
    for start, phrase in enumerate(zip(*(words[place:] for place in range(PHRASE)), strict=False)):
        if phrase in seen:
            covered += start + PHRASE - max(start, end)
            end = start + PHRASE
        seen.add(phrase)
    return covered / len(words)
