"""Rules: signs in the wording that an instruction or an answer is not usable; each can be switched off."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import polars as pl

from tuneworks.factory import wording
from tuneworks.filters.filter import Filter
from tuneworks.filters.words import answered, asked, fact, instruction

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
        texts = table.select(asked=asked(), instruction=instruction(), input=fact("input"), answer=answered()).to_dict(
            as_series=False
        )
        columns = {name: list(map(rule, texts["instruction"])) for name, rule in INSTRUCTION_RULES.items()}
        for name, rule in ANSWER_RULES.items():
            columns[name] = [None if answer is None else rule(answer) for answer in texts["answer"]]
        columns["same_text"] = [
            None if answer is None else _says_again(answer, *given)
            for answer, *given in zip(
                texts["answer"], texts["asked"], texts["instruction"], texts["input"], strict=True
            )
        ]
        return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        """The first broken rule, the instruction's before the answer's, each in the order of the options."""
        on = [name for name in type(self).model_fields if getattr(self, name)]
        reasons = [pl.format(f"the {_judged(name)} {{}}", pl.col(name)) for name in on]
        silent = pl.Series("reason", [None] * measures.height, dtype=pl.String)
        return measures.select(reason=pl.coalesce(*reasons)).to_series() if reasons else silent


def _judged(rule: str) -> str:
    return "instruction" if rule in INSTRUCTION_RULES else "answer"


def _says_again(answer: str, *given: str | None) -> str | None:
    return next((reason for text in given if text and (reason := wording.same_text(answer, text))), None)
