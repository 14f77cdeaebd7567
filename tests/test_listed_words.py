"""The listed_words filter: whole words where scripts have spaces, any place where they have none."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.wording.listed_words import ListedWords, found


def reason(work: ListedWords, text: str, asked: str = "?") -> str | None:
    return work.reject(work.measure(to_table([Record.born(asked, answers=[Answer(text)])]))).to_list()[0]


@pytest.mark.parametrize(
    ("word", "text", "stands"),
    [
        ("cat", "The CAT sat.", True),
        ("cat", "Concatenate two cats.", False),
        ("cat", "category, then cat", True),
        ("red  wine", "A glass of Red\nWine?", True),
        ("straße", "STRASSE 5", True),
        ("C++", "He writes C++, too.", True),
        ("C++", "He writes C, too.", False),
        ("café", "cafe\u0301 noir", True),
        ("caf", "café", False),
        ("कम", "कमी", False),
        ("天气", "今天天气很好", True),
        ("AI", "用AI写", True),
        ("AI", "用AIR写", False),
        ("แมว", "เห็นแมวดำ", True),
        ("foo", "foo_bar", True),
    ],
)
def test_where_a_word_stands(word: str, text: str, stands: bool) -> None:
    assert (reason(ListedWords(words=(word,)), text) is not None) == stands


def test_reasons_name_text_word_and_number() -> None:
    work = ListedWords(words=("darn", "heck", "gosh"))
    assert reason(work, "Oh heck.") == 'the answer has the listed word "heck"'
    assert reason(work, "Gosh, oh heck.") == 'the answer has 2 listed words, such as "gosh"'
    assert reason(work, "Fine.", "Why, darn?") == 'the prompt has the listed word "darn"'


def test_where_decides_without_measuring_again() -> None:
    record = Record.born([Message("system", "heck"), Message("user", "darn")], answers=[Answer("gosh")])
    measures = ListedWords(words=("darn", "gosh", "heck")).measure(to_table([record]))
    told = {
        where: ListedWords.model_validate({"words": ("x",), "where": where}).reject(measures).to_list()[0]
        for where in ("prompt", "answer", "both")
    }
    assert told["prompt"] == told["both"] == 'the prompt has the listed word "darn"'
    assert told["answer"] == 'the answer has the listed word "gosh"'


def test_a_file_has_one_word_or_phrase_a_line(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("darn\n\n red wine \n", "utf-8-sig")
    work = ListedWords(file=str(path), words=("heck",))
    work.check()
    assert work.reads() == (str(path),)
    assert [reason(work, t) is None for t in ("darn", "red wine", "heck", "red", "wine")] == [False] * 3 + [True] * 2


def test_a_list_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no words to look for"):
        ListedWords(words=(" ",))
    with pytest.raises(InputError, match=r"cannot be read: .*; correct its path"):
        ListedWords(file=str(tmp_path / "none.txt")).check()
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(InputError, match="has no words; write one a line"):
        ListedWords(file=str(tmp_path / "empty.txt")).check()
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        ListedWords(file=str(tmp_path / "latin.txt")).check()


def test_lone_surrogates_and_nothing() -> None:
    assert found(["a \ud800 cat", None, ""], ["cat"]).struct.field("count").to_list() == [1, 0, 0]
    assert reason(ListedWords(words=("\ud800", "cat")), "a cat") is not None


listed = st.lists(st.text("ab ", min_size=1, max_size=4).map(str.strip).filter(bool), min_size=1, max_size=6)


@given(listed, st.text("ab -", max_size=30))
def test_hits_are_those_of_one_search_each(words: list[str], text: str) -> None:
    plain = [" ".join(word.split()) for word in words]
    said = " ".join(text.split())
    hits = {word for word in plain if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)}
    assert found([text], sorted(set(plain))).struct.field("count").to_list() == [len(hits)]
