"""Exact duplicates: of records that say the same, the first stays."""

import unicodedata
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from tuneworks.filters.filter import Filter
from tuneworks.filters.reference import Turn, check_references, read_references, reference_files
from tuneworks.filters.words import answered

CLOSING = " .,;:!?。、"  # after NFKC, which makes the other full-width marks plain ones

# What str.split() takes for white space in ASCII; \s leaves out the last four. A lone space is as it should be.
_SPACES = r"[\t-\r\x1c-\x1f ]{2,}|[\t-\r\x1c-\x1f]"


class ExactDuplicates(Filter):
    """Drop records whose prompt was there before.

    Texts are the same when they differ only in white space, case, closing marks or Unicode form (NFKC). All
    messages of a conversation count, with their roles.
    """

    kind: ClassVar[str] = "exact_duplicates"
    measured_by: ClassVar[tuple[str, ...]] = ("on",)

    on: Literal["prompt", "prompt_and_answer"] = "prompt"
    """What must be the same: the prompt, or the prompt and the best answer too."""
    against: tuple[str, ...] = ()
    """Other sets, whose prompts no record may have: `builtin`, files, FILE#COLUMN, hub:OWNER/NAME@SPLIT#COLUMN."""

    def check(self) -> None:
        check_references(self.against)

    def reads(self) -> tuple[str, ...]:
        return reference_files(self.against)

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        made = table.select("id", prompt=_prompts(table["prompt"]))
        if self.on == "prompt":
            return made
        return made.with_columns(answer=plain_texts(table.select(answered()).to_series()))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return self.verdicts(measures)["reason"]

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        said = ["prompt", "answer"] if self.on == "prompt_and_answer" else ["prompt"]
        rows = measures.select("id", *said, row=pl.row_index(), known=pl.lit(None, dtype=pl.String))
        if self.against:
            known = pl.DataFrame(self._known(), schema={"prompt": pl.String, "known": pl.String}, orient="row")
            rows = rows.drop("known").join(known, on="prompt", how="left", maintain_order="left")
        new = rows.filter(pl.col("known").is_null())
        first = new.select(pl.struct(said) if len(said) > 1 else said).to_series().is_first_distinct()
        kept = new.filter(first).select(*said, kept="id")
        again = new.filter(~first).join(kept, on=said, nulls_equal=True).select("row", "kept")
        rows = rows.join(again, on="row", how="left", maintain_order="left")
        reason = pl.format(f"the same {self.on.replace('_', ' ')} as the kept record {{}}", "kept")
        return rows.select(
            reason=pl.coalesce(pl.format("the same prompt as {}", "known"), reason),
            nearest=pl.coalesce("known", "kept"),
        )

    def _known(self) -> list[tuple[str, str]]:
        """Each plain prompt of the other sets, with the first place that has it."""
        places: dict[str, str] = {}
        for reference in read_references(self.against):
            for at in range(len(reference.texts)):
                places.setdefault(plain_prompt(reference.prompt(at)), reference.place(at))
        return list(places.items())


def plain(text: str) -> str:
    """The text without what does not make it another one; a text of nothing but marks keeps them."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.rstrip(CLOSING) or folded


def plain_texts(texts: pl.Series) -> pl.Series:
    """`plain` of each text; nulls stay. In ASCII, NFKC changes nothing and folding is lower case: Polars can do that
    for all rows at once."""
    folded = texts.str.to_lowercase().str.replace_all(_SPACES, " ").str.strip_chars_start(" ")
    frame = pl.DataFrame({"text": texts, "folded": folded, "bare": folded.str.strip_chars_end(CLOSING)})
    bare, length = pl.col("bare"), pl.col("text").str
    quick = pl.when(bare == "").then(pl.col("folded").str.strip_chars_end(" ")).otherwise(bare)
    done = frame.select(quick.alias("plain"), other=length.len_bytes() != length.len_chars())
    others = done["other"].fill_null(False).arg_true()
    made = pl.Series([plain(text) for text in texts.gather(others)], dtype=pl.String)
    return done["plain"].scatter(others, made)


def plain_prompt(turns: Sequence[Turn]) -> str:
    """All turns as one text. Plain texts have no line breaks, so that no two conversations look the same."""
    return "\n".join(f"{role}\n{plain(content)}" for role, content in turns)


def _prompts(prompts: pl.Series) -> pl.Series:
    """`plain_prompt` of each prompt."""
    lengths = prompts.list.len().fill_null(0)
    turns = prompts.filter(lengths > 0).explode().struct.unnest()
    content = plain_texts(turns["content"].fill_null(""))
    said = turns.select(pl.concat_str(pl.col("role").fill_null(""), pl.lit("\n"), content)).to_series()
    if (lengths == 1).all():
        return said
    rows = pl.DataFrame({"row": np.repeat(np.arange(len(prompts)), lengths.to_numpy()), "said": said})
    whole = rows.group_by("row", maintain_order=True).agg(pl.col("said").str.join("\n"))
    return pl.Series([""] * len(prompts), dtype=pl.String).scatter(whole["row"], whole["said"])
