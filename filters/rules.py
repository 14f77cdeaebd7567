"""Rules: signs in the wording that an instruction or an answer is not usable; each can be switched off."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import polars as pl

from tuneworks.factory import wording
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.copied_input import says_again
from tuneworks.filters.wording.signs import answers, answers_with_given, instructions, marked

Rule = Callable[[str], str | None]

INSTRUCTION_RULES: Mapping[str, Rule] = {
    "needs_attachment": wording.needs_attachment,
    "asks_nothing": wording.asks_nothing,
}
ANSWER_RULES: Mapping[str, Rule] = {
    "refusal": wording.refusal,
    "self_reference": wording.self_reference,
    "repetition": wording.repetition,
    "truncated": wording.truncated,
    "unbalanced_fences": wording.unbalanced_fences,
}


class Rules(Filter):
    """Drop records whose instruction cannot be answered in text, or whose best answer is not one.

    The instruction is the record's fact "instruction" where it has one, else the last user message. The best
    answer is the one with the highest reward, else the first; without, only the instruction is judged.
    """

    kind: ClassVar[str] = "rules"
    by_process: ClassVar[bool] = True
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    needs_attachment: bool = True
    """Drop instructions about a picture, a sound, a file or a link."""
    asks_nothing: bool = False
    """Drop English instructions that are a statement: no question, no wish, no order."""
    refusal: bool = True
    """Drop answers that begin by declining the task."""
    self_reference: bool = True
    """Drop answers that speak of themselves as a model."""
    repetition: bool = True
    """Drop answers that run in a loop."""
    truncated: bool = True
    """Drop answers that end in the middle of a sentence."""
    unbalanced_fences: bool = True
    """Drop answers with a code block that is never closed."""
    same_text: bool = True
    """Drop answers that only say the prompt, the instruction or its input again."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        texts, asked = answers(table), instructions(table)
        signs = [marked(asked, sign).to_series().rename(name) for name, sign in INSTRUCTION_RULES.items()]
        signs += [marked(texts, sign).to_series().rename(name) for name, sign in ANSWER_RULES.items()]
        again = [None if a is None else says_again(a, *given) for a, *given in answers_with_given(table)]
        return pl.DataFrame([*signs, pl.Series("same_text", again, dtype=pl.String)])

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        """The first broken rule, the instruction's before the answer's, each in the order of the options."""
        on = [name for name in type(self).model_fields if getattr(self, name)]
        reasons = [pl.format(f"the {_judged(name)} {{}}", pl.col(name)) for name in on]
        silent = pl.Series("reason", [None] * measures.height, dtype=pl.String)
        return measures.select(reason=pl.coalesce(*reasons)).to_series() if reasons else silent


def _judged(rule: str) -> str:
    return "instruction" if rule in INSTRUCTION_RULES else "answer"
