"""ROUGE-L between texts, and the index that says how new a text is (Self-Instruct's rule, arXiv:2212.10560).

Every token becomes one character, and rapidfuzz finds the longest common subsequence (LCS) of two strings. They
are held by length: between lengths m and n the F-measure, 2·LCS/(m+n), depends on the LCS alone, so limits are
whole numbers and exact (rapidfuzz's cut-off for fractions is not, at the edge). Scores come from the float formula
of the package rouge_score: a text at exactly the limit is decided as in the published code.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

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
    """A growing pool of texts that answers which one is most similar to a new text."""

    def __init__(self, tokens: Tokens = unicode_tokens) -> None:
        self._pool = _Pool(tokens)
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Hold `text`; its position, counted from 0."""
        self._texts.append(text)
        return self._pool.add(self._pool.encode(text))

    def nearest(self, text: str) -> Neighbour | None:
        """The most similar text held, of equals the earliest; None when none shares a token with `text`."""
        sequence = self._pool.encode(text)
        best, best_position = 0.0, -1
        for length, bound in self._pool.lengths(len(sequence)):
            if bound < best:
                break
            score, position = self._pool.best(sequence, length, best)
            if score > best or (score == best > 0 and position < best_position):
                best, best_position = score, position
        return Neighbour(best_position, self._texts[best_position], best) if best else None


Pair = tuple[int, int, float]


def pairs(texts: Sequence[str], floor: float, tokens: Tokens = unicode_tokens) -> Iterator[Pair]:
    """Every pair (later position, earlier position, score) with a score of at least `floor` > 0, in order."""
    pool = _Pool(tokens)
    for later, text in enumerate(texts):
        sequence = pool.encode(text)
        found: list[tuple[int, float]] = []
        for length, bound in pool.lengths(len(sequence)):
            if bound < floor:
                break
            found += pool.within(sequence, length, floor)
        yield from ((later, earlier, score) for earlier, score in sorted(found))
        pool.add(sequence)


class _Pool:
    """Token sequences by length: sequences of one length have scores that depend on the LCS alone."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._numbers: dict[str, int] = {}
        self._size = 0
        self._sequences: dict[int, list[Encoded]] = {}
        self._positions: dict[int, list[int]] = {}

    def encode(self, text: str) -> Encoded:
        numbers = self._numbers
        return _sequence([numbers.setdefault(token, len(numbers)) for token in self._tokens(text)])

    def add(self, sequence: Encoded) -> int:
        self._sequences.setdefault(len(sequence), []).append(sequence)
        self._positions.setdefault(len(sequence), []).append(self._size)
        self._size += 1
        return self._size - 1

    def lengths(self, length: int) -> list[tuple[int, float]]:
        """Lengths of held sequences with the highest score each allows beside `length` tokens, falling."""
        bounds = ((n, _f_measure(min(length, n), length, n)) for n in self._sequences if n)
        return sorted(bounds, key=lambda pair: -pair[1]) if length else []

    def best(self, sequence: Encoded, length: int, floor: float) -> tuple[float, int]:
        """The highest score among held sequences of this length, if at least `floor`, and its position."""
        held = self._sequences[length]
        fewest = max(1, _fewest_common(floor, len(sequence), length))
        hit = process.extractOne(sequence, held, scorer=LCSseq.similarity, score_cutoff=fewest)
        if hit is None:
            return 0.0, -1
        return _f_measure(int(hit[1]), len(sequence), length), self._positions[length][hit[2]]

    def within(self, sequence: Encoded, length: int, floor: float) -> Iterator[tuple[int, float]]:
        """Position and score of each held sequence of this length with a score of at least `floor`."""
        held, positions = self._sequences[length], self._positions[length]
        fewest = _fewest_common(floor, len(sequence), length)
        hits = process.extract_iter(sequence, held, scorer=LCSseq.similarity, score_cutoff=fewest)
        return ((positions[place], _f_measure(int(n), len(sequence), length)) for _, n, place in hits)


def _fewest_common(floor: float, m: int, n: int) -> int:
    """The shortest common subsequence that gives a score of at least `floor`."""
    common = max(0, int(floor * (m + n) / 2) - 1)
    while _f_measure(common, m, n) < floor:
        common += 1
    return common
