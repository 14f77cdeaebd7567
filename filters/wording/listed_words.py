"""Words and phrases of a list of one's own, whole where the script has spaces between words."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import model_validator

from tuneworks.factory.errors import InputError
from tuneworks.factory.form import whole_characters
from tuneworks.factory.plugin import File
from tuneworks.factory.rouge import unicode_tokens
from tuneworks.filters.filter import Filter
from tuneworks.filters.words import answered, conversation

WHERE = ("prompt", "answer")
_FOUND = {"count": pl.UInt32(), "word": pl.String()}


class ListedWords(Filter):
    """Drop records whose prompt, or best answer, has one of the listed words or phrases.

    Case does not count. A word of a script with spaces must stand alone; in Chinese, Japanese or Thai it may stand
    inside of a longer one. Of a prompt all messages count but the system's.
    """

    kind: ClassVar[str] = "listed_words"
    by_process: ClassVar[bool] = True
    measured_by: ClassVar[tuple[str, ...] | None] = ("words", "file")

    words: tuple[str, ...] = ()
    """Words and phrases."""
    file: File | None = None
    """A text file with more of them, one a line."""
    where: Literal["prompt", "answer", "both"] = "both"
    """Which text may have none of them."""

    @model_validator(mode="after")
    def _something_listed(self) -> Self:
        if self.file is None and not any(map(_plain, self.words)):
            raise ValueError("listed_words has no words to look for; give words or a file with one a line")
        return self

    def check(self) -> None:
        self._listed()

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        words = self._listed()
        texts = table.select(prompt=conversation(), answer=answered())
        return pl.DataFrame({where: found(texts[where].to_list(), words) for where in WHERE})

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        reasons = [_told(where) for where in WHERE if self.where in (where, "both")]
        return measures.select(reason=pl.coalesce(reasons)).to_series()

    def _listed(self) -> list[str]:
        lines = () if self.file is None else _lines(Path(self.file).expanduser())
        return sorted({plain for word in (*self.words, *lines) if (plain := _plain(word))})


def found(texts: Sequence[str | None], words: Sequence[str]) -> pl.Series:
    """How many of the `words` (plain, as `_plain` makes them) each text has, and which comes first (null where none).

    All words are looked for at once as mere strings (Aho-Corasick); only hits are looked at more closely.
    """
    plain = pl.Series([_plain(text or "") for text in texts], dtype=pl.String)
    hits = plain.str.extract_many(list(words), overlapping=True)
    rows = []
    for text, strings in zip(plain, hits, strict=True):
        whole = [word for word in dict.fromkeys(strings) if _stands_alone(word, text)]
        rows.append({"count": len(whole), "word": min(whole, key=text.find, default=None)})
    return pl.Series(rows, dtype=pl.Struct(_FOUND))


def _told(where: str) -> pl.Expr:
    count, word = (pl.col(where).struct.field(name) for name in _FOUND)
    one = pl.format(f'the {where} has the listed word "{{}}"', word)
    more = pl.format(f'the {where} has {{}} listed words, such as "{{}}"', count, word)
    return pl.when(count == 1).then(one).when(count > 1).then(more)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"the list of words {path} cannot be read: {error.strerror}; correct its path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the list of words {path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    if not any(map(_plain, lines)):
        raise InputError(f"the list of words {path} has no words; write one a line")
    return lines


def _plain(text: str) -> str:
    """In one form and case, with single spaces, and with nothing that a table cannot hold."""
    return " ".join(unicodedata.normalize("NFKC", whole_characters(text)).casefold().split())


def _stands_alone(word: str, text: str) -> bool:
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        inside_before = place > 0 and _in_word(word[0]) and _in_word(text[place - 1])
        inside_after = end < len(text) and _in_word(word[-1]) and _in_word(text[end])
        if not inside_before and not inside_after:
            return True
        place = text.find(word, place + 1)
    return False


@cache
def _in_word(character: str) -> bool:
    """Whether it is a letter, digit or mark of a script that has spaces between words."""
    if unicodedata.category(character)[0] == "M":
        return True
    return unicode_tokens(character + "a") == [character + "a"]
