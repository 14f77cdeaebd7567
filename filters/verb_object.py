"""Root verb and object: what an instruction asks for in two words, such as "write" and "poem".

Self-Instruct (arXiv:2212.10560, figure 3) shows by them how varied instructions are, with a parser. Here they are read
by rules from the words alone, in English and Chinese; `docs/selection.md` says how often the rules are right.
"""

from tuneworks.factory.language import language_of
from tuneworks.filters.selection import chinese, english


def verb_object(text: str) -> tuple[str, str] | None:
    """The root verb and the head noun of its object, both in the dictionary's form; the object is "" where the verb has
    none or a pronoun. A question gives its question word and the noun it asks about. None: nothing is asked."""
    return chinese.read(text) if language_of(text[:1000]) == "zh" else english.read(text)
