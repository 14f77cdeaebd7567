"""Which language a text is in."""

import pytest

from tuneworks.factory.language import Language, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Name a fish.", "en"),
        ("说出一种鱼。", "zh"),
        ("用 Python 写一个函数，计算两个数的和", "zh"),
        ("Translate 你好 into English.", "en"),
        ("Nommez un poisson, s'il vous plaît.", "en"),
        ("お魚の名前を教えてください", "en"),
        ("물고기 이름을 말해 주세요", "en"),
        ("", "en"),
        ("12 + 30 = ?", "en"),
        ("第3题：2+2=?", "zh"),
    ],
)
def test_language(text: str, language: Language) -> None:
    assert language_of(text) == language
