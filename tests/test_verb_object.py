"""Root verb and object of instructions, against a list written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.seeds import read_seeds
from tuneworks.filters.verb_object import verb_object

BY_HAND = {
    "builtin": {
        1: "why dough", 5: "explain step", 9: "tell call", 13: "do water", 17: "reply yes", 21: "who camp",
        25: "label review", 29: "how problem", 33: "assign question", 37: "start story", 41: "continue story",
        45: "sum report", 49: "summarize note", 53: "tell letter", 57: "what tool", 61: "take ingredient",
        65: "separate cause", 69: "come name", 73: "need idea", 77: "tell habit", 81: "what eighth", 85: "split rent",
        89: "make note", 93: "change sentence", 97: "reword review", 101: "how bread", 105: "advise student",
        109: "how glass", 113: "what order", 117: "organize evening", 121: "set rota", 125: "tell job",
        129: "which two", 133: "need function", 137: "show value", 141: "how sql", 145: "how pharmacy",
        149: "what guest", 153: "teach phrase", 157: "proofread notice", 161: "remove sentence", 165: "label mood",
        169: "do speaker",
        173: "pick word", 175: "how email",
    },
    "builtin-zh": {
        1: "为什么 洋葱", 5: "概括 要点", 9: "改 口语", 13: "写 函数", 17: "回答 ", 21: "提取 取件码", 25: "怎么 家长",
        29: "翻译 告示", 33: "归 留言", 37: "什么 米饭", 41: "做 计划", 45: "还是 心情", 49: "来 小诗", 53: "看 票价",
        57: "哪个 分数",
    },
}  # fmt: skip
"""What a reader takes every fourth seed task to ask for (and the last English one); a pronoun is read as its noun."""


def misread() -> list[tuple[str, str, str]]:
    wrong = []
    for name, pairs in BY_HAND.items():
        seeds = read_seeds(name, "")
        for line, pair in pairs.items():
            text = str(seeds[line - 1].meta["instruction"])
            got = " ".join(verb_object(text) or ())
            if got != pair:
                wrong.append((text, pair, got))
    return wrong


def test_most_seed_tasks_are_read_as_a_reader_does() -> None:
    asked = sum(map(len, BY_HAND.values()))
    assert asked == 60 and asked - len(misread()) >= 50, misread()


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Please write a short poem about autumn.", ("write", "poem")),
        ("Could you kindly summarise these two articles?", ("summarize", "article")),
        ("Given the table below, compute the mean of each column.", ("compute", "mean")),
        ("Give the man a tip.", ("give", "tip")),
        ("List five of the largest cities in Europe", ("list", "city")),
        ("Which countries does the river cross?", ("which", "country")),
        ("Compare and contrast the two novels.", ("compare", "novel")),
        ("Rewrite the following sentence in the passive.", ("rewrite", "sentence")),
        ("Create a set of rules for a game.", ("create", "set")),
        ("Explain how photosynthesis works.", ("explain", "photosynthesis")),
        ("Sing.", None),
        ("The weather is fine.", None),
        ("Translate.", ("translate", "")),
        ("请帮我写一篇关于春天的作文。", ("写", "作文")),
        ("把下面的句子翻译成英文。", ("翻译", "句子")),
        ("北京有哪些名胜？", ("哪些", "名胜")),
        ("今天天气很好。", None),
        ("", None),
        ("?!", None),
        ("\ud800", None),
    ],
)
def test_instructions_of_each_form(text: str, pair: tuple[str, str] | None) -> None:
    assert verb_object(text) == pair


@given(st.text(alphabet=st.characters(exclude_categories=())) | st.text("请把写成一首的诗，。？为什么 如何"))
def test_any_text_is_read(text: str) -> None:
    read = verb_object(text)
    assert read is None or (read[0] and read == verb_object(text))


def test_a_text_of_any_length_is_read_at_once() -> None:
    for text in ("Write a poem about " + "rain, " * 900_000, "写一首诗" + "雨" * 1_700_000, "a" * 5_000_000):
        assert verb_object(text) in (("write", "poem"), ("写", "诗雨"), ("写", "雨雨"), None)
