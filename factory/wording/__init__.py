"""Signs, read off the words alone, that a text is no usable answer or instruction (English and Chinese).

Each is a phrase with the number that decided, or None. Verse, lists, tables, code and single words are fine.
"""

from tuneworks.factory.wording.attachment import needs_attachment
from tuneworks.factory.wording.copying import same_text
from tuneworks.factory.wording.fences import unbalanced_fences
from tuneworks.factory.wording.leakage import prompt_leakage
from tuneworks.factory.wording.loops import repetition
from tuneworks.factory.wording.refusals import refusal
from tuneworks.factory.wording.requests import asks_nothing
from tuneworks.factory.wording.self_references import self_reference
from tuneworks.factory.wording.truncation import truncated

__all__ = [
    "asks_nothing",
    "needs_attachment",
    "prompt_leakage",
    "refusal",
    "repetition",
    "same_text",
    "self_reference",
    "truncated",
    "unbalanced_fences",
]
