"""What filters read in a table, as Polars expressions: what is asked, the best answer, how many words."""

import numpy as np
import numpy.typing as npt
import polars as pl

from tuneworks.factory.rouge import UNSPACED

BLOCK = 1 << 16
"""Bytes looked at together: a multiple of 8 that stays in the processor's cache."""


def asked() -> pl.Expr:
    """The last user message; empty where there is none."""
    messages = pl.element().filter(pl.element().struct.field("role") == "user")
    return pl.col("prompt").list.eval(messages.struct.field("content")).list.last().fill_null("")


def instruction() -> pl.Expr:
    """The fact "instruction" where the record has one, else the last user message."""
    told = fact("instruction")
    return pl.when(told.str.strip_chars() != "").then(told).otherwise(asked())


def fact(name: str) -> pl.Expr:
    """A fact of the record as text; null where the record has none of this name."""
    return pl.col("meta").str.json_path_match(f"$.{name}")


def conversation() -> pl.Expr:
    """All messages but the system's, one after the other."""
    messages = pl.element().filter(pl.element().struct.field("role") != "system")
    return pl.col("prompt").list.eval(messages.struct.field("content")).list.join("\n").fill_null("")


def answered() -> pl.Expr:
    """The text of the best answer, chosen as `best_answer` does; null where there is no answer."""
    score = pl.element().filter(pl.element().struct.field("name") == "reward").struct.field("value")
    rewards = pl.element().struct.field("scores").list.eval(score).list.first().fill_nan(None)
    best = pl.col("answers").list.eval(rewards).list.arg_max().fill_null(0)
    return pl.col("answers").list.get(best, null_on_oob=True).struct.field("text")


def word_count(text: pl.Expr) -> pl.Expr:
    """Runs of anything but white space; where words have no spaces between them, each character is a word."""
    return text.map_batches(word_counts, return_dtype=pl.UInt32)


def word_counts(texts: pl.Series) -> pl.Series:
    """`word_count` of each text; nulls stay. Where only ASCII's white space parts words, bytes tell, all at once."""
    rows = texts.cast(pl.String)
    other = (rows.str.len_bytes() != rows.str.len_chars()).fill_null(False)
    other = other.scatter(other.arg_true(), rows.filter(other).str.contains(_PARTS_WORDS))
    counts = np.zeros(len(rows), dtype=np.uint32)
    plain = (~other & rows.is_not_null()).to_numpy()
    counts[plain] = _byte_counts(rows.filter(plain))
    counts[other.to_numpy()] = _unicode_counts(rows.filter(other)).to_numpy()
    return pl.select(pl.when(rows.is_not_null()).then(pl.Series(texts.name, counts))).to_series()


_PARTS_WORDS = rf"[{UNSPACED}\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""Beyond ASCII: scripts without spaces, and white space."""


def _byte_counts(texts: pl.Series) -> npt.NDArray[np.int64]:
    """A word begins where a byte that is no white space comes after one that is. Where is a bit for each byte; what
    stands before a row is counted eight bits at a time."""
    if texts.is_empty():
        return np.zeros(0, dtype=np.int64)
    text = np.frombuffer(f" {texts.str.join(' ').item()} ".encode(), dtype=np.uint8)
    begins = np.concatenate([_begins(text[at : at + BLOCK + 1]) for at in range(0, len(text) - 1, BLOCK)])
    before = np.concatenate([[0], np.cumsum(np.bitwise_count(begins), dtype=np.int64)])
    ends = np.cumsum(texts.str.len_bytes().to_numpy().astype(np.int64) + 1)
    whole, rest = ends // 8, ends % 8
    partial = np.append(begins, np.uint8(0))[whole] >> (8 - rest).astype(np.uint8)
    return np.diff(before[whole] + np.bitwise_count(np.where(rest, partial, 0)), prepend=0)


def _begins(text: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A bit for each byte but the first: whether a word begins there."""
    inside = (text != ord(" ")) & (text - np.uint8(ord("\t")) > 4)  # tab to carriage return; bytes wrap around
    return np.packbits(inside[1:] > inside[:-1])


def _unicode_counts(texts: pl.Series) -> pl.Series:
    apart = texts.str.replace_all(rf"\p{{P}}*[{UNSPACED}]\p{{M}}*\p{{P}}*", " x ")
    return apart.str.count_matches(r"\S+")
