"""Exact duplicates: of records that say the same, the first stays."""

import hashlib
import json
import unicodedata
from typing import ClassVar, Literal

import polars as pl

from tuneworks.filters.filter import Filter
from tuneworks.filters.words import answered

CLOSING = " .,;:!?。、"  # after NFKC, which makes the other full-width marks plain ones


class ExactDuplicates(Filter):
    """Drop records whose prompt was there before.

    Texts are the same when they differ only in white space, case, closing marks or Unicode form (NFKC). All
    messages of a conversation count, with their roles.
    """

    kind: ClassVar[str] = "exact_duplicates"

    on: Literal["prompt", "prompt_and_answer"] = "prompt"
    """What must be the same: the prompt, or the prompt and the best answer too."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        answers = answered() if self.on == "prompt_and_answer" else pl.lit("")
        rows = table.select("prompt", answer=answers).iter_rows()
        keys = [_key(prompt or [], answer) for prompt, answer in rows]
        return table.select("id", key=pl.Series(keys, dtype=pl.String))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        what = self.on.replace("_", " ")
        kept = pl.col("id").first().over("key")
        reason = pl.format(f"the same {what} as the kept record {{}}", kept)
        return measures.select(reason=pl.when(~pl.col("key").is_first_distinct()).then(reason)).to_series()


def _key(prompt: list[dict[str, str]], answer: str | None) -> str:
    """32 hexadecimal digits that stand for what is compared."""
    said = [[message["role"], plain(message["content"] or "")] for message in prompt]
    content = json.dumps([said, None if answer is None else plain(answer)])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def plain(text: str) -> str:
    """The text without what does not make it another one; a text of nothing but marks keeps them."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.rstrip(CLOSING) or folded
