"""Which language a text is in, as far as our prompts go: Chinese or English."""

from typing import Literal

Language = Literal["en", "zh"]


def language_of(text: str) -> Language:
    """Chinese when most of the letters are Han characters, else English."""
    han = sum("\u4e00" <= c <= "\u9fff" for c in text)
    return "zh" if han * 2 > sum(c.isalpha() for c in text) else "en"
