"""Tokens of many texts at once against the tokenizers themselves, n-grams against Python's sets."""

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuneworks.factory.overlap import tokens
from tuneworks.factory.overlap.compiled import KERNEL
from tuneworks.factory.overlap.settled import SETTLED
from tuneworks.factory.overlap.tokens import Bags, Tokenizer, bags_of, first_equal, shingles
from tuneworks.factory.rouge import Tokens, ascii_tokens, unicode_tokens

KERNELS = ["numpy", "numba"] if find_spec("numba") else ["numpy"]
TOKENIZERS: dict[Tokenizer, Tokens] = {"unicode": unicode_tokens, "ascii": ascii_tokens}
characters = st.sampled_from("aBz09_ .\n\té\u0301ßİıſKΣσς中文ガがｶﾞＡ½…ไทยक्षनमस्ते한글ﬁ²\u200bπ💚\x00") | st.characters(
    exclude_categories=["Cs"]
)


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KERNEL, request.param)
        for texts in (["compiled before anything is timed"], []):
            shingles(bags_of(texts), 2)
        yield request.param


def same(bags: Bags, rows: list[list[str]]) -> bool:
    """Whether the numbers stand for these tokens, one for one."""
    numbers: dict[str, int] = {}
    split = [bags.row(at).tolist() for at in range(len(bags))]
    assert list(map(len, split)) == list(map(len, rows))
    flat = zip((t for row in rows for t in row), (n for row in split for n in row), strict=True)
    agreed = all(numbers.setdefault(token, number) == number for token, number in flat)
    return agreed and len(set(numbers.values())) == len(numbers)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(st.lists(st.text(characters, max_size=30) | st.none(), max_size=8))
@example(["A_b, 3.14!", "", None, "ΟΔΟΣ", "ΟΔΟΣΑ", "\u2126 ℵ", "x\u00b4y", "plain words", "Plain WORDS"])
def test_tokens_are_those_of_the_tokenizer(kernel: str, tokenizer: Tokenizer, texts: list[str | None]) -> None:
    assert same(bags_of(texts, tokenizer), [TOKENIZERS[tokenizer](text or "") for text in texts])


def test_settled_characters_mean_the_same_in_python_and_polars(kernel: str) -> None:
    """Alone, twice, and beside letters."""
    every = pl.Series([chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000])
    texts = every.filter(every.str.contains(f"[{SETTLED}]"))
    assert len(texts) > 30_000
    texts = pl.select(pl.format("a{}b {}{} {}Q", *[pl.lit(texts)] * 4)).to_series()
    assert same(bags_of(texts), [unicode_tokens(text) for text in texts])


def test_many_different_words_and_one_long_text(kernel: str) -> None:
    texts = [" ".join(f"w{k}" for k in range(n)) for n in (3, 30_000, 5)] + ["word " * 300_000]
    assert same(bags_of(texts), [unicode_tokens(text) for text in texts])


def test_lone_surrogates_are_part_of_no_token(kernel: str) -> None:
    texts = ["\ud800 lone", "a\udfffb"]
    assert same(bags_of(texts), [["lone"], ["a", "b"]])


def rows_of(bags: Bags) -> list[list[int]]:
    return [bags.row(at).tolist() for at in range(len(bags))]


def bags(rows: list[list[int]]) -> Bags:
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Bags(np.array([token for row in rows for token in row], dtype=np.int64), starts)


tables = st.lists(st.lists(st.integers(0, 3) | st.just(1 << 20), max_size=9), max_size=8)


@given(tables, st.integers(1, 5))
def test_shingles_are_the_sets_of_ngrams(kernel: str, rows: list[list[int]], n: int) -> None:
    numbers: dict[tuple[int, ...], int] = {}
    grams = [
        {numbers.setdefault(tuple(row[i : i + n]), len(numbers)) for i in range(max(1, len(row) - n + 1))}
        if row
        else set()
        for row in rows
    ]
    made = rows_of(shingles(bags(rows), n))
    assert [len(set(row)) for row in made] == list(map(len, made)) == list(map(len, grams))
    for one, other in ((i, j) for i in range(len(rows)) for j in range(i)):
        assert len(set(made[one]) & set(made[other])) == len(grams[one] & grams[other])
    assert max((max(row, default=0) for row in made), default=0) <= len(numbers)


@given(tables)
def test_first_equal_rows(rows: list[list[int]]) -> None:
    assert first_equal(bags(rows)).tolist() == [rows.index(row) for row in rows]


@given(tables, st.data())
def test_parts_and_rows(rows: list[list[int]], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(first, len(rows)))
    assert rows_of(bags(rows).part(first, stop)) == rows[first:stop]
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)) if rows else []
    assert rows_of(bags(rows).rows(np.array(places, dtype=np.int64))) == [rows[place] for place in places]


@pytest.mark.parametrize("n", [1, 3, 8])
def test_shingles_do_not_hang_on_the_size_of_a_block(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a b c d e f g h i j k", "", "a b", "b c d e f g h i", "", "a b c a b c a b c a b c", "k"]
    whole = shingles(bags_of(texts), n)
    monkeypatch.setattr(tokens, "BLOCK", 5)
    cut = shingles(bags_of(texts), n)
    assert cut.starts.tolist() == whole.starts.tolist()
    assert cut.tokens.tolist() == whole.tokens.tolist()
