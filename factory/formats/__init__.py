"""Formats: the same task in several forms, so that a mixture can hold them side by side (FLAN, arXiv:2301.13688).

A task as it is, after worked examples, with step-by-step reasoning before its answer, or both. The examples are other
tasks of the same table. The reasoning is the model's own, and where the record has a short answer to compare with, it
stays only if it ends in that answer (STaR, arXiv:2203.14465).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, get_args

from pydantic import Field

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.flight import in_order
from tuneworks.factory.formats.examples import EXAMPLES, Examples, example_of, lone_task
from tuneworks.factory.formats.layouts import LAYOUTS, THINK, with_examples
from tuneworks.factory.formats.reasoning import Reasoning, gold_answer
from tuneworks.factory.generator import Generator
from tuneworks.factory.language import language_of
from tuneworks.factory.record import Answer, Record, Rejected, best_answer

Format = Literal["zero_shot", "few_shot", "zero_shot_cot", "few_shot_cot"]
FORMATS: tuple[Format, ...] = get_args(Format)
AFTER_EXAMPLES: Mapping[Format, Format] = {"zero_shot": "few_shot", "zero_shot_cot": "few_shot_cot"}


class Formats(Generator):
    """Add variants of the same task: after worked examples, or with step-by-step reasoning (FLAN)."""

    kind: ClassVar[str] = "formats"

    few_shot: float = Field(default=0.5, ge=0, le=1)
    """Share of the tasks that are also asked after examples, and share of the reasoned ones that are shown so."""
    reasoning: float = Field(default=0.0, ge=0, le=1)
    """Share of the tasks with a short answer, or none yet, that are also asked for step-by-step reasoning."""
    examples: int = Field(default=3, ge=1, le=10)
    """Most examples before a task; drawn from the other records of the table that have an answer."""
    original: bool = True
    """Whether a record stays beside its variants; one without a variant always stays."""
    max_tokens: int = Field(default=512, ge=1)
    """Most tokens of a reasoned answer; one that is cut off there is not used."""

    def calls(self, records: int) -> int:
        return round(records * self.reasoning)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        reasoning = Reasoning(engine, dice, self.max_tokens)
        drawn = [r for r in records if can_reason(r) and dice.random("reasoning", r.id).random() < self.reasoning]
        thought: dict[str, Answer | Rejected] = {}
        async for record_id, answer in in_order((partial(reasoning.of, record) for record in drawn), engine.room):
            thought[record_id] = answer
        making = _Making(self, dice, *pools(records, thought))
        for record in records:
            for item in making.of(record, thought.get(record.id)):
                yield item


def can_reason(record: Record) -> bool:
    """Whether it may have one short, right answer, and came without reasoning: a long answer ends no thought."""
    asked = bool(record.prompt) and record.prompt[-1].role == "user"
    return asked and format_of(record) == "zero_shot" and (not record.answers or gold_answer(record) is not None)


def format_of(record: Record) -> Format:
    """The format of a record as it came: the fact `format`, where it has one."""
    told = record.meta.get("format")
    return next((known for known in FORMATS if told == known), "zero_shot")


def pools(records: Sequence[Record], thought: Mapping[str, Answer | Rejected]) -> tuple[Examples, Examples]:
    """Examples with plain answers, and examples with reasoned ones."""
    own = [(format_of(record), record, best.text) for record in records if (best := best_answer(record)) is not None]
    plain = [example_of(record, text) for form, record, text in own if form == "zero_shot"]
    worked = [example_of(record, text) for form, record, text in own if form == "zero_shot_cot"]
    made = [example_of(r, answer.text) for r in records if isinstance(answer := thought.get(r.id), Answer)]
    return Examples(plain), Examples([*worked, *made])


@dataclass(frozen=True, slots=True)
class _Making:
    """The variants of one record after the other."""

    options: Formats
    dice: Dice
    plain: Examples
    worked: Examples

    def of(self, record: Record, thought: Answer | Rejected | None) -> list[Record | Rejected]:
        own = format_of(record)
        shown = AFTER_EXAMPLES.get(own)
        made = [self._few_shot(record, record.answers, shown)] if shown is not None else []
        if isinstance(thought, Answer):
            checked = gold_answer(record) is not None
            text = f"{record.prompt_text}\n\n{THINK[language_of(record.prompt_text)]}"
            alone = variant(record, text, [thought], "zero_shot_cot", checked)
            made.append(self._few_shot(record, [thought], "few_shot_cot", checked) or alone)
        variants = [v for v in made if v is not None]
        kept = [record.with_meta(format=own)] if self.options.original or not variants else []
        return [*kept, *variants, *([thought] if isinstance(thought, Rejected) else [])]

    def _few_shot(
        self, record: Record, answers: Sequence[Answer], form: Format, checked: bool = False
    ) -> Record | None:
        """The task after examples; None where the dice say no, it is a conversation, or no other task is there."""
        task = lone_task(record)
        if task is None or self.dice.random(form, record.id).random() >= self.options.few_shot:
            return None
        pool = self.plain if form == "few_shot" else self.worked
        shown = pool.drawn(record, self.options.examples, self.dice.random(form, "examples", record.id))
        if not shown:
            return None
        layout = self.dice.random(form, "layout", record.id).choice(LAYOUTS[language_of(task)])
        text = with_examples(layout, task.strip(), [(e.task, e.answer) for e in shown])
        made = variant(record, text, answers, form, checked)
        return made.with_meta(**{EXAMPLES: " ".join(e.id for e in shown)})


def variant(record: Record, text: str, answers: Sequence[Answer], form: Format, checked: bool = False) -> Record:
    """The record asked as `text`. Its fact `instruction` is the record's, so that both fall on one side of a split."""
    asked = {"instruction": record.instruction, "format": form}
    return Record.born(
        (*record.prompt[:-1], replace(record.prompt[-1], content=text)),
        answers=answers,
        source=record.source,
        parents=(record.id,),
        meta={**record.meta, **asked, **({"checked": True} if checked else {})},
    )
