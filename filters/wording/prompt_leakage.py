"""Texts that repeat the machinery that made them: a template's marks, turns of a chat, words of our own prompts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl

from tuneworks.factory import back_translation, judge, multi_turn
from tuneworks.factory.constitutional import prompts as constitutional
from tuneworks.factory.evol_instruct import prompts as evol_instruct
from tuneworks.factory.language import Language
from tuneworks.factory.rlaif import prompts as rlaif
from tuneworks.factory.self_instruct import one_call
from tuneworks.factory.self_instruct import prompts as self_instruct
from tuneworks.factory.wording import prompt_leakage
from tuneworks.filters.filter import Filter
from tuneworks.filters.wording.signs import answers_with_given

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WHERE = ("instruction", "answer")

LONG_ENOUGH = 32
"""Characters of a sentence of a prompt that nobody writes by chance; a Chinese one counts double."""


class PromptLeakage(Filter):
    """Drop records whose instruction, or best answer, repeats the machinery that made it.

    That is a mark of a chat template, turns of a chat inside one text, talk about a rewritten prompt or a task that
    was to be made, or a sentence of a method's own prompt. What stands in the prompt is no leak of the answer.
    """

    kind: ClassVar[str] = "prompt_leakage"
    by_process: ClassVar[bool] = True
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    where: Literal["instruction", "answer", "both"] = "both"
    """Which text may hold none of it."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        rows = [
            (_leak(instruction, ""), None if answer is None else _leak(answer, asked))
            for answer, asked, instruction, _ in answers_with_given(table)
        ]
        return pl.DataFrame(rows, schema=dict.fromkeys(WHERE, pl.String), orient="row")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        reasons = [pl.format(f"the {w} {{}}", pl.col(w)) for w in WHERE if self.where in (w, "both")]
        return measures.select(reason=pl.coalesce(reasons)).to_series()


def _leak(text: str, asked: str) -> str | None:
    return prompt_leakage(text, asked) or _own_words(text, asked)


def _own_words(text: str, asked: str) -> str | None:
    """A sentence of one of our prompts."""
    said, known = text.lower(), asked.lower()
    sentence = next((s for s in own_sentences() if s in said and s not in known), None)
    return None if sentence is None else f'repeats a prompt at character {said.index(sentence)}: "{sentence}"'


@cache
def own_sentences() -> tuple[str, ...]:
    """The sentences of all methods' prompts that hold no {place}, in lower case."""
    found = {
        sentence.strip().lower()
        for prompts in _all_prompts()
        for text in _texts(prompts)
        for sentence in re.split(r"(?<=[.!?]) |(?<=[。！？])|\n|\{[a-z_]+\}", text)
    }
    return tuple(sorted(s for s in found if len(s) + sum(not c.isascii() for c in s) >= LONG_ENOUGH))


def _all_prompts() -> Iterator["DataclassInstance"]:
    by_language: tuple[Mapping[Language, DataclassInstance], ...] = (
        *(self_instruct.PROMPTS, one_call.PROMPTS, evol_instruct.PROMPTS, constitutional.PROMPTS),
        *(rlaif.PROMPTS, judge.PROMPTS, multi_turn.PROMPTS, back_translation.PROMPTS),
    )
    for prompts in by_language:
        yield from prompts.values()


def _texts(prompts: "DataclassInstance") -> Iterator[str]:
    values = (getattr(prompts, field.name) for field in fields(prompts))
    return (value for value in values if isinstance(value, str))
