"""Language: which one a text is in, by its script where that tells, else by py3langid's probabilities."""

import copy
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from tuneworks.factory.errors import MissingExtra
from tuneworks.filters.filter import Filter
from tuneworks.filters.scripts import LANGUAGES, SHARED, SOLE, main_script, scripts_of
from tuneworks.filters.words import answered, asked

READ = 2_000
"""Characters of a text that are looked at."""

ENOUGH = 500
"""Characters of it, code left out, that py3langid reads."""

LETTERS = 12
"""A text with fewer letters (Han, kana and Hangul count for three) has no language: names, numbers, formulas."""

PARTS = ("prompt", "answer")


class Language(Filter):
    """Drop records whose prompt or best answer is not in one of the languages to keep.

    Of a prompt the last user message counts. Code, numbers, mathematics and texts of less than about three words
    have no language and stay, and so does a text whose language is in doubt. Chinese, Japanese, Korean, Thai,
    Greek, Hebrew and other languages with a script of their own are told by the share of their letters; English
    and others need the extra `language`. `of: prompt` lets translations out of the kept languages stay.
    """

    kind: ClassVar[str] = "language"
    measured_by: ClassVar[tuple[str, ...] | None] = ("keep",)
    by_process: ClassVar[bool] = True

    keep: tuple[str, ...] = Field(min_length=1)
    """The languages that stay, by their ISO 639-1 codes: [en, zh]."""
    of: Literal["prompt", "answer", "both"] = "both"
    """Which text must be in one of them."""
    least: float = Field(default=0.7, ge=0, le=1)
    """Confidence below which a text is not judged, and stays."""
    same: bool = False
    """Also drop records whose answer is in another language than their prompt; translations go too."""

    @field_validator("keep")
    @classmethod
    def _known(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        for code in keep:
            if code not in LANGUAGES:
                raise ValueError(f"there is no language {code!r}; there are: {', '.join(sorted(LANGUAGES))}")
        return keep

    def check(self) -> None:
        if self._in_doubt() and not find_spec("py3langid"):
            told = next(code for code in self.keep if code not in SOLE.values())
            raise MissingExtra("py3langid", "language", f"the filter language, to know {told!r} from other languages,")

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        texts = pl.concat([table.select(text=asked()), table.select(text=answered())])["text"]
        judged = recognised(prose(texts), self._in_doubt())
        sides = (judged.slice(side * table.height, table.height) for side in range(len(PARTS)))
        named = (side.select(pl.all().name.prefix(f"{part}_")) for part, side in zip(PARTS, sides, strict=True))
        return pl.concat(named, how="horizontal")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        parts = PARTS if self.of == "both" else (self.of,)
        reasons = [self._foreign(part) for part in parts]
        if self.same:
            reasons.append(self._other_than_asked())
        return measures.select(reason=pl.coalesce(reasons)).to_series()

    def _in_doubt(self) -> frozenset[str]:
        """The scripts in which a kept language is written beside others. In all further ones the script decides."""
        return frozenset(s for code in self.keep for s in scripts_of(code) if s in SHARED)

    def _foreign(self, part: str) -> pl.Expr:
        language, confidence, script = (pl.col(f"{part}_{name}") for name in ("language", "confidence", "script"))
        kept = ", ".join(self.keep)
        scripts = {s for code in self.keep for s in scripts_of(code)}
        known = pl.format(f"the {part} is in {{}} ({{}}), not in {kept}", language, confidence.round(3))
        unread = pl.format(f"the {part} is in {{}} letters ({{}}), not in {kept}", script, confidence.round(3))
        sure = confidence >= self.least
        foreign = pl.when(sure & ~language.is_in(self.keep)).then(known)
        return foreign.when(sure & language.is_null() & ~script.is_in(scripts)).then(unread)

    def _other_than_asked(self) -> pl.Expr:
        prompt, answer = pl.col("prompt_language"), pl.col("answer_language")
        surer = pl.min_horizontal("prompt_confidence", "answer_confidence")
        reason = pl.format(
            "the answer is in {} ({}), the prompt in {}", answer, pl.col("answer_confidence").round(3), prompt
        )
        return pl.when((prompt != answer) & (surer >= self.least)).then(reason)


def recognised(texts: pl.Series, in_doubt: frozenset[str]) -> pl.DataFrame:
    """`language`, `confidence` and `script` of each text, null where it has none. Confidence is the share of the
    letters that are of that script, times the probability of the language among those written in it. Of a script
    of several languages, which one it is is only asked where the script is `in_doubt`."""
    frame = main_script(texts).with_columns(texts.alias("text")).with_row_index("row")
    frame = frame.filter(pl.col("letters") >= LETTERS)
    asked_for = frame.filter(pl.col("script").is_in(in_doubt)).select("row", "script", pl.col("text").str.head(ENOUGH))
    told = [(row, *_classifier(script).classify(text)) for row, script, text in asked_for.iter_rows()]
    schema = {"row": pl.UInt32, "told": pl.String, "probability": pl.Float64}
    frame = frame.join(pl.DataFrame(told, schema=schema, orient="row"), on="row", how="left")
    frame = frame.filter(pl.col("told").ne_missing(NOTHING)).select(
        "row",
        language=pl.coalesce("told", pl.col("script").replace_strict(SOLE, default=None, return_dtype=pl.String)),
        confidence=pl.col("share") * pl.col("probability").fill_null(1.0),
        script="script",
    )
    rows = pl.DataFrame({"row": pl.int_range(texts.len(), dtype=pl.UInt32, eager=True)})
    return rows.join(frame, on="row", how="left", maintain_order="left").drop("row")


@cache
def _model() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise MissingExtra("py3langid", "language", "the filter language") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def _classifier(script: str) -> Any:
    """py3langid for the languages of one script: its probabilities are then shared out among those alone."""
    identifier = copy.copy(_model())  # all share one table of weights
    identifier.set_languages([*SHARED[script], NOTHING])
    # Its weights are float16 in columns: a row of float32 is read, and multiplied, in half the time.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc, dtype=np.float32)
    return identifier


def prose(texts: pl.Series) -> pl.Series:
    """The first READ characters of each text without what is in no language: code, formulas, links, markup."""
    text = pl.col("text").str.head(READ)
    for pattern in NOT_PROSE:
        text = text.str.replace_all(pattern, " ")
    return pl.DataFrame({"text": texts}).select(text).to_series()


NOTHING = "zxx"
"""py3langid's class of texts that are in no language."""

_SQL = (
    "SELECT|FROM|WHERE|AND|OR|ON|ORDER BY|GROUP BY|HAVING|LIMIT|INSERT|VALUES|UPDATE|SET|DELETE|CREATE|(?:[A-Z]+ )?JOIN"
)
_KEYWORDS = (
    "def|class|import|from|return|print|for|while|if|elif|else|try|except|with|in|var|let|const|function|public|private|"
    "static|void|int|using|package|end"
)
NOT_PROSE = (
    r"(?s)```.*?(?:```|\z)",
    r"`[^`\n]*`",
    r"(?s)\"\"\".*?\"\"\"|'''.*?'''",
    r"(?s)\$\$.*?\$\$|\\\[.*?\\\]|\\\(.*?\\\)",
    r"\$[^$\n]*[\\^_{}=][^$\n]*\$",
    r"\"[^\"\n]*\"|“[^”\n]*”|「[^」\n]*」",  # a quotation is in the language of another text
    r"(?i)\b(?:https?://|www\.)[^\s<>\"']+|\b[\w.+-]+@[\w.-]+",
    r"</?[A-Za-z!][^<>]*>",
    r"(?m)^.*[;{}][ \t]*$",  # a line that ends as statements and blocks do
    rf"(?m)^[ \t]*(?:{_KEYWORDS})\b.*[(){{}}\[\]=:].*$",
    r"(?m)^[ \t]+(?:return|yield|raise|throw)\b.*$",
    rf"(?m)^[ \t]*(?:{_SQL})\b.*$",
    r"(?m)^[ \t]*(?:#[^#]|//|/\*|\*/|--).*$",  # comments, and a heading of Markdown
    r"(?m)^.{0,80}(?:[=!+*/<>-]=|=>|->|::|&&|\|\||\+\+|\w\.\w+\(|\w\([^ )]*\)|\w\[[\w:+-]*\]| = ).{0,80}$",
)
"""Patterns for Polars, whose time grows with the text's length alone. A line of code is a short one with an operator, a
call or an index in it; what is taken from a line of prose by mistake only leaves less to judge."""
