"""What the parts of a text are: words, sentences, paragraphs, items of a list."""

import re
import unicodedata

_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|(?:(?![\u3400-\u4dbf\u4e00-\u9fff])[\w'’-])+")
_SENTENCE_END = re.compile(r"(?:[.!?]+[\"'”’)\]]*(?=\s|$)|[。！？]+[”’」』）]*)")
_ITEM = re.compile(r"^[ \t]*[-*•][ \t]+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*(\d+)[.)、．][ \t]*\S", re.MULTILINE)


def words(text: str) -> list[str]:
    """Words in lower case; each Chinese character is one."""
    return [word for word in _WORD.findall(text.lower()) if any(c.isalnum() for c in word)]


def sentences(text: str) -> int:
    """Stretches that hold a word, each up to its full stop or mark, or the end."""
    return sum(bool(words(part)) for part in _SENTENCE_END.split(text))


def paragraphs(text: str) -> int:
    return sum(bool(part.strip()) for part in re.split(r"\n[ \t]*\n", text))


def items(text: str) -> int:
    """Lines that begin with a mark of a list."""
    return len(_ITEM.findall(text))


def numbers(text: str) -> list[int]:
    """Those that lines begin with, in a numbered list."""
    return [int(number) for number in _NUMBERED.findall(text)]


def times(text: str, wanted: str) -> int:
    """How often a word is said as a word; of Chinese, which has no spaces, how often it stands there."""
    if wanted.isascii():
        return words(text).count(wanted.lower())
    return text.count(wanted)


def folded(text: str) -> str:
    """For phrases: white space and the ways to write a character or a quotation mark aside."""
    plain = unicodedata.normalize("NFKC", text).translate(str.maketrans("“”‘’", "\"\"''"))
    return " ".join(plain.casefold().split())


def han_share(text: str) -> float:
    """The share of the words that are Chinese characters: a name in Latin letters counts as one."""
    said = words(text)
    return sum("\u3400" <= word[0] <= "\u9fff" for word in said) / len(said) if said else 0.0
