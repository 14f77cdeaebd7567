"""The ROUGE-L index against a plain dynamic programme and a brute-force search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.rouge import RougeIndex, ascii_tokens, rouge_l, unicode_tokens

words = st.lists(st.sampled_from("abcde"), max_size=12)
texts = st.lists(words.map(" ".join), max_size=12)


def common(a: list[str], b: list[str]) -> int:
    """Length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(b) + 1)
    for x in a:
        previous, row = row, [0]
        for j, y in enumerate(b):
            row.append(previous[j] + 1 if x == y else max(row[j], previous[j + 1]))
    return row[-1]


def published(a: list[str], b: list[str]) -> float:
    """The float formula of the package rouge_score."""
    length = common(a, b)
    if not length:
        return 0.0
    precision, recall = length / len(b), length / len(a)
    return 2 * precision * recall / (precision + recall)


@given(words, words)
def test_rouge_l_is_the_published_formula_to_the_last_bit(a: list[str], b: list[str]) -> None:
    assert rouge_l(a, b) == published(a, b)


@given(texts, words.map(" ".join))
def test_nearest_is_the_earliest_of_the_most_similar(held: list[str], text: str) -> None:
    index = RougeIndex()
    assert [index.add(t) for t in held] == list(range(len(held)))
    scores = [published(t.split(), text.split()) for t in held]
    nearest = index.nearest(text)
    if not any(scores):
        assert nearest is None
    else:
        assert nearest is not None
        position = scores.index(max(scores))
        assert (nearest.position, nearest.text, nearest.score) == (position, held[position], max(scores))


def test_a_tie_with_the_limit_is_decided_by_the_published_floats() -> None:
    """7 common words in 10 and 10 are 0.7 to the last bit; in 7 and 13 the same fraction comes out above it."""
    seven = [*"abcdefg"]
    assert rouge_l([*seven, *"hij"], [*seven, *"xyz"]) == 0.7
    assert rouge_l(seven, [*seven, *"uvwxyz"]) > 0.7
    index = RougeIndex()
    index.add("a b c d e f g h i j")
    nearest = index.nearest("a b c d e f g x y z")
    assert nearest is not None
    assert nearest.score == 0.7


def test_a_text_without_tokens_is_similar_to_nothing() -> None:
    index = RougeIndex()
    assert index.nearest("a question") is None
    index.add("...")
    index.add("")
    assert index.nearest("...") is None
    assert index.nearest("") is None
    assert index.nearest("a question") is None
    assert len(index) == 2


def test_unicode_tokens_hold_words_of_every_script() -> None:
    assert unicode_tokens("Don't STOP at_3.14, Café!") == ["don", "t", "stop", "at", "3", "14", "café"]
    assert unicode_tokens("今天是2024年，《红楼梦》！") == [*"今天是", "2024", *"年红楼梦"]
    assert unicode_tokens("カードを見る") == [*"カードを見る"]
    assert unicode_tokens("नमस्ते दुनिया") == ["नमस्ते", "दुनिया"]
    assert unicode_tokens("Привет, мир") == ["привет", "мир"]
    assert unicode_tokens("세계 안녕") == ["세계", "안녕"]
    assert len(unicode_tokens("ภาษาไทย")) == len("ภาษาไทย")
    assert unicode_tokens("ที่นี่") == ["ที่", "นี่"]


def test_unicode_tokens_see_through_unicode_forms() -> None:
    assert unicode_tokens("cafe\u0301 ＡＢＣ") == unicode_tokens("café abc")
    assert unicode_tokens("\ud800 lone") == ["lone"]


def test_ascii_tokens_are_those_of_rouge_score() -> None:
    assert ascii_tokens("Écrivez un poème, v2.0!") == ["crivez", "un", "po", "me", "v2", "0"]
    assert ascii_tokens("今天") == []


def test_more_words_than_unicode_has_characters() -> None:
    index = RougeIndex()
    index.add(" ".join(map(str, range(0x110000))))
    index.add("zebra lion tiger")
    nearest = index.nearest("zebra lion bear")
    assert nearest is not None
    assert nearest.position == 1
    assert nearest.score == pytest.approx(2 / 3)
