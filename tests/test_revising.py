"""What is no critique and no revision."""

import pytest

from tuneworks.factory.constitutional.prompts import CHINESE, ENGLISH
from tuneworks.factory.constitutional.revising import leak, unusable_critique, unusable_revision


@pytest.mark.parametrize(
    ("critique", "reason"),
    [
        ("The answer is rude.", None),
        ("Nothing is wrong.", None),
        ("The answer refuses and says sorry for no reason.", None),
        ("I'm sorry, but I can't help with that.", "refuses"),
        ("An example's words.", "the critique is that of an example"),
        ("It is rude. If nothing is wrong, say so.", "says our request again"),
        ("rude, " * 80, "repeats itself"),
    ],
)
def test_critiques(critique: str, reason: str | None) -> None:
    said = unusable_critique(critique, ENGLISH, ["An example's words."])
    assert said is None if reason is None else reason in str(said)


@pytest.mark.parametrize(
    ("revision", "reason"),
    [
        ("I won't help with that, but I can help you to ask.", None),
        ("I'm sorry, but I can't help with that.", None),
        ("Net.", None),
        ("An example's words.", "the revision is that of an example"),
        ("The answer is rude.", "the revision only says the critique again"),
        ("A net.\n\nThis was a conversation. It was good.", 'says our request again: "This was a conversation."'),
        ("A net.\n\nUser: And then?\n\nAssistant: Wait.", 'goes on with the conversation: "User: And then?"'),
        ("Assistant: A net.", "goes on with the conversation"),
        ("wet, " * 80, "repeats itself"),
    ],
)
def test_revisions(revision: str, reason: str | None) -> None:
    said = unusable_revision(revision, "Net.", "The answer is rude.", ENGLISH, ["An example's words."])
    assert said is None if reason is None else reason in str(said)


def test_an_answer_may_stay_as_it_is_whatever_it_is() -> None:
    for answer in ("User: is the word.", "The answer is rude.", "An example's words."):
        assert unusable_revision(answer, answer, "The answer is rude.", ENGLISH, ["An example's words."]) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("可以用一张网。", None),
        ("用户：好的", "goes on with the conversation"),
        ("可以用网。以上是一段对话。", '"以上是一段对话。"'),
        ("可以用网。\n如果没有问题，就原样重复。", "says our request again"),
    ],
)
def test_chinese_words_of_ours(text: str, reason: str | None) -> None:
    said = leak(text, CHINESE)
    assert said is None if reason is None else reason in str(said)
