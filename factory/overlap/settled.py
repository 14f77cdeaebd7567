"""Texts made ready for splitting into words by bytes: all at once in Polars, where it is certain to agree with Python.

In ASCII both tokenizers find runs of letters and digits. For other characters Python and Polars follow different
editions of Unicode; `SETTLED` holds common ranges on which they agree. A text with any other character goes
through `unicode_tokens` itself.
"""

from typing import Literal

import polars as pl

from tuneworks.factory.rouge import UNSPACED, unicode_tokens

SETTLED = (
    r"\x00-\x{2af}\x{391}-\x{3a1}\x{3a4}-\x{3c1}\x{3c3}-\x{3c9}\x{400}-\x{481}\x{48a}-\x{52f}\x{1e00}-\x{1eff}"
    r"\x{2010}-\x{206f}\x{20a0}-\x{20bf}\x{2100}-\x{2bff}\x{3001}-\x{3029}\x{3041}-\x{3096}\x{30a1}-\x{30fe}"
    r"\x{4e00}-\x{9fff}\x{ac00}-\x{d7a3}\x{ff01}-\x{ff65}\x{1f300}-\x{1f6ff}\x{1f900}-\x{1f9ff}"
)
"""The inside of a character class. The capital sigma is not in it: its lower case depends on what follows."""

_LETTER = rf"[[\p{{L}}\p{{N}}]--[{UNSPACED}]]"
_TOKEN = rf"{_LETTER}+(?:\p{{M}}+{_LETTER}*)*|[[\p{{L}}\p{{N}}]&&[{UNSPACED}]]\p{{M}}*"


def words_of(texts: pl.Series, tokenizer: Literal["unicode", "ascii"]) -> pl.Series:
    """Lower-cased texts with the same tokens, in which each is a run of ASCII letters and digits and of any character
    beyond ASCII. A null is empty."""
    texts = texts.fill_null("")
    plain = texts.str.len_bytes() == texts.str.len_chars()
    lower = texts.str.to_lowercase()
    if plain.all():
        return lower
    if tokenizer == "ascii":
        return lower.str.replace_all(r"[^\x00-\x7f]", " ")
    at, rest = (~plain).arg_true(), texts.filter(~plain)
    settled = rest.str.contains(rf"^[{SETTLED}]*$")
    sure, other = rest.filter(settled), rest.filter(~settled)
    tokens = sure.str.normalize("NFKC").str.to_lowercase().str.extract_all(_TOKEN).list.join(" ")
    slow = pl.Series([" ".join(unicode_tokens(text)) for text in other], dtype=pl.String)
    return lower.scatter(at.filter(settled), tokens).scatter(at.filter(~settled), slow)
