"""ROUGE-L between texts, and the index that says how new a text is (Self-Instruct's rule, arXiv:2212.10560).

Every token becomes one character, and rapidfuzz finds the longest common subsequence (LCS) of two strings. Scores come
from the float formula of the package rouge_score: a text at exactly the limit is decided as in the published code.
For all pairs of many texts there is `overlap.join`.
"""

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

Tokens = Callable[[str], list[str]]
Encoded = Sequence[int] | str

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3007\u3021-\u3029\u3040-\u30fa\u30fc-\u30ff\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
)
"""Scripts written without spaces between words: the inside of a character class, for Python and for Polars.
Korean puts spaces between words, so Hangul is not among them."""

CHARACTERS = 0x110000
"""As many tokens have a character of their own."""

STEP = 0.05
"""Texts are compared by the highest score they may have, so much of it at a time: the first mostly show that no more
are needed."""

ROUNDING = 1e-9
"""More than two ways to compute a score differ by."""


def unicode_tokens(text: str) -> list[str]:
    """Lower-cased runs of letters and digits of any script; where words have no spaces, each character.

    Forms that look alike are made equal first (NFKC): full-width letters, composed and decomposed accents.
    """
    return _token_pattern().findall(unicodedata.normalize("NFKC", text).lower())


def ascii_tokens(text: str) -> list[str]:
    """The tokens of rouge_score without stemming: runs of a-z and 0-9; every other script disappears."""
    return re.findall("[a-z0-9]+", text.lower())


@cache
def _token_pattern() -> re.Pattern[str]:
    """Python's \\w leaves out combining marks, without which Hindi or Arabic words fall apart."""
    points = (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
    marks = "".join(chr(point) for point in points if unicodedata.category(chr(point))[0] == "M")
    letter = rf"[^\W_{UNSPACED}]"
    return re.compile(rf"{letter}+(?:[{marks}]+{letter}*)*|(?=\w)[{UNSPACED}][{marks}]*")


def rouge_l(a: Sequence[str], b: Sequence[str]) -> float:
    """ROUGE-L F-measure of two token sequences; 0 when either is empty."""
    numbers: dict[str, int] = {}
    first, second = (_sequence([numbers.setdefault(t, len(numbers)) for t in tokens]) for tokens in (a, b))
    return _f_measure(LCSseq.similarity(first, second), len(a), len(b))


def _f_measure(common: int, m: int, n: int) -> float:
    """rouge_score's arithmetic, which may differ from 2·common/(m+n) in the last bit."""
    if not common:
        return 0.0
    precision, recall = common / m, common / n
    return 2 * precision * recall / (precision + recall)


def _sequence(numbers: list[int]) -> Encoded:
    """What rapidfuzz compares fastest: one character per number; a list where the numbers outrun Unicode."""
    return "".join(map(chr, numbers)) if max(numbers, default=0) < CHARACTERS else numbers


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A text the index holds, and how similar it is to the one asked about."""

    position: int
    text: str
    score: float


class RougeIndex:
    """A growing pool of texts that answers which one is most similar to a new text.

    How many tokens a text shares with each held one, whatever their order, is the sum of lists of who holds them; no
    common subsequence is longer. So the few that this lets come close are compared, and no other.
    """

    def __init__(self, tokens: Tokens = unicode_tokens) -> None:
        self._tokens = tokens
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        self._sequences: list[Encoded] = []
        self._sizes = array("i")
        self._holders: dict[tuple[int, int], array[int]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Hold `text`; its position, counted from 0."""
        position, numbers = len(self._texts), self._encoded(text)
        for key in _keys(numbers):
            self._holders.setdefault(key, array("i")).append(position)
        self._texts.append(text)
        self._sequences.append(_sequence(numbers))
        self._sizes.append(len(numbers))
        return position

    def nearest(self, text: str) -> Neighbour | None:
        """The most similar text held, of equals the earliest; None when none shares a token with `text`."""
        numbers = self._encoded(text)
        holders = [np.frombuffer(self._holders[key], np.int32) for key in _keys(numbers) if key in self._holders]
        if not holders:
            return None
        sizes = np.frombuffer(self._sizes, np.int32)
        shared = np.bincount(np.concatenate(holders), minlength=len(sizes))
        ceiling = 2 * shared / (sizes + len(numbers))
        at, best = self._highest(_sequence(numbers), ceiling)
        return Neighbour(at, self._texts[at], best)

    def _encoded(self, text: str) -> list[int]:
        numbers = self._numbers
        return [numbers.setdefault(token, len(numbers)) for token in self._tokens(text)]

    def _highest(self, sequence: Encoded, ceiling: NDArray[np.float64]) -> tuple[int, float]:
        """The nearest text and its score: those that may come highest are compared first."""
        high = float(ceiling.max())
        low, best = high - STEP, (0, 0.0)
        places = np.flatnonzero(ceiling > low)
        while True:
            found = self._best(sequence, places)
            best = max(best, found, key=lambda it: (it[1], -it[0]))
            if best[1] > low + ROUNDING:
                return best
            high, low = low, max(low - STEP, best[1] - 2 * ROUNDING)
            places = np.flatnonzero((ceiling > low) & (ceiling <= high))

    def _best(self, sequence: Encoded, places: NDArray[np.int64]) -> tuple[int, float]:
        """Of the texts at these places the most similar, and its score."""
        if not len(places):
            return 0, 0.0
        held = [self._sequences[place] for place in places.tolist()]
        common = process.cdist([sequence], held, scorer=LCSseq.similarity, dtype=np.int32)[0]
        scores = [_f_measure(int(c), len(sequence), len(other)) for c, other in zip(common, held, strict=True)]
        best = max(scores)
        return int(places[scores.index(best)]), best


def _keys(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each token with how many equal ones precede it: two texts have as many of these in common as tokens."""
    seen: dict[int, int] = {}
    for number in numbers:
        turn = seen.get(number, 0)
        seen[number] = turn + 1
        yield number, turn
