"""Randomness: whether a value was drawn by a machine, or is words that stand where a secret goes."""

import math
import re
from collections import Counter

_STANDS_IN = re.compile(
    r"(?i)your|here|example|sample|dummy|placeholder|changeme|change_me|replace|insert|redacted|fake|demo|secret|passw|"
    r"token|apikey|api_key|my_|my-|<|>|\$\{|\{\{|%\(|\.\.\.|\*{3}|x{5}|0{6}|12345|abcdef|a1b2c3|qwerty|foobar|hello|world"
)
_SAMPLES = re.compile(
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c|TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ|"
    "4eC39HqLyjWDarjtT1zdp7dc|BQokikJOvBiI2HlWgH4olfQ2|123e4567-e89b-12d3"
)
"""Parts of keys that are printed in manuals."""

_LEET = str.maketrans("@$013457!", "asoleastI".lower())

BITS = 3.0
"""Least entropy of a value's characters: 20 random hexadecimal digits have about 3.4, words of that length about 3."""

SPELLED = 20
"""Values shorter than this are passwords, in which digits may stand for letters."""


def stands_in(value: str) -> bool:
    """Whether it is a word, a pattern or a published sample in the place of a value, or too plain to be one."""
    return any(sign.search(value) for sign in (_STANDS_IN, _SAMPLES)) or entropy(value) < BITS


def looks_random(value: str, least: int) -> bool:
    """At least so many characters of three sorts (capitals, small letters, digits, others), or long with digits here
    and there; and no word or stand-in in it, nor in what it spells with 0 for o."""
    spelled = value.translate(_LEET) if len(value) < SPELLED else value
    if len(value) < least or re.search(r"[()\[\]{};\\]", value) or stands_in(value) or _STANDS_IN.search(spelled):
        return False
    if len(value) >= SPELLED and len(re.findall(r"\d+", value)) >= 3 and re.search("[A-Za-z]", value):
        return True
    sorts = sum(re.search(sort, value) is not None for sort in ("[A-Z]", "[a-z]", r"\d", r"[^A-Za-z\d_.\-]"))
    return sorts >= 3 and not any(_is_word(run) for run in re.findall("[A-Za-z]?[a-z]{5,}", spelled))


def _is_word(letters: str) -> bool:
    """Of six letters drawn at random two thirds have fewer than two vowels."""
    return sum(letter in "aeiouAEIOU" for letter in letters) >= 2


def entropy(value: str) -> float:
    """Bits a character, from how often each occurs."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts) if value else 0.0
