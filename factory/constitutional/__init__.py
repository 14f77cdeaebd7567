"""Constitutional AI (arXiv:2212.08073), the supervised half: answers that a model criticised and revised itself."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

from pydantic import Field, model_validator

from tuneworks.factory.answer import Answering
from tuneworks.factory.constitutional.constitution import Principle, load_constitution
from tuneworks.factory.constitutional.examples import Example, load_examples
from tuneworks.factory.constitutional.pairing import paired
from tuneworks.factory.constitutional.prompts import PROMPTS, Prompts
from tuneworks.factory.constitutional.revising import Reviser
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.flight import in_order
from tuneworks.factory.form import Unfilled
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import load_prompts
from tuneworks.factory.record import Answer, Fact, Message, Record, Rejected, best_answer


@dataclass(frozen=True, slots=True)
class Reading:
    """What the option files hold."""

    principles: Mapping[Language, tuple[Principle, ...]]
    examples: Mapping[Language, tuple[Example, ...]]
    prompts: Mapping[Language, Prompts]


class Constitutional(Answering):
    """Criticise and revise an answer by principles drawn from a constitution (Constitutional AI)."""

    kind: ClassVar[str] = "constitutional"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": {"rounds": 4, "temperature": 1.0, "top_p": 1.0}}

    rounds: int = Field(default=2, ge=1)
    """How often an answer is criticised and revised, each time by another draw of a principle."""
    constitution: File | None = None
    """A YAML file with principles of your own: a list of id, topic, critique and revision, or one under en and zh."""
    examples: File | None = None
    """A YAML file with examples of your own in place of ours; an empty list shows the model none."""
    prompts: File | None = None
    """A YAML file with your own words for what is asked around a principle."""
    own_answer: bool = False
    """Begin with the record's best answer, where it has one, instead of asking for a new one."""
    chosen: int = -1
    """The step whose answer a preference takes as the better one; 0 is the initial answer, -1 the last revision."""
    rejected: int = 0
    """The step whose answer a preference takes as the worse one."""

    @model_validator(mode="after")
    def _two_steps(self) -> Self:
        steps = self.rounds + 1
        for name, step in (("chosen", self.chosen), ("rejected", self.rejected)):
            if not -steps <= step < steps:
                raise ValueError(f"{name} is step {step}, and {self.rounds} rounds have the steps 0 to {self.rounds}")
        if self.chosen % steps == self.rejected % steps:
            raise ValueError(f"chosen and rejected are both step {self.chosen % steps}; name two different steps")
        return self

    def calls(self, records: int) -> int:
        return records * (2 * self.rounds + (not self.own_answer))

    def check(self) -> None:
        super().check()
        self._read()

    def _read(self) -> Reading:
        return Reading(
            load_constitution(self.constitution), load_examples(self.examples), load_prompts(self.prompts, PROMPTS)
        )

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        reading = self._read()
        async for items in in_order((partial(self._improved, r, engine, dice, reading) for r in records), engine.room):
            for item in items:
                yield item

    async def _improved(self, record: Record, engine: Engine, dice: Dice, reading: Reading) -> list[Record | Rejected]:
        """What was set aside, and last the record with its steps, or as a whole why it has none."""
        language = language_of(record.prompt_text)
        principles = reading.principles.get(language, ())
        if not principles:
            reason = f"the constitution {self.constitution} has no principles under {language}"
            return [Rejected(record, dice.stage, reason)]
        first = await self._initial(record, engine, dice)
        if isinstance(first, Rejected):
            whole = record.with_answers([*record.answers, *first.record.answers])
            return [Rejected(whole, dice.stage, f"its initial answer: {first.reason}")]
        examples = reading.examples.get(language, ())
        reviser = Reviser(engine, language, reading.prompts[language], examples, self._settings())
        made, unread = await self._revised(_begun(record, first), reviser, principles, dice)
        return [*_not_steps(record, first, dice.stage), *unread, self._with_pair(made, dice.stage)]

    async def _initial(self, record: Record, engine: Engine, dice: Dice) -> Answer | Rejected:
        own = best_answer(record) if self.own_answer else None
        return await self.sample(record, engine, dice, "initial") if own is None else own

    def _settings(self) -> Request:
        guide = (Message("system", self.guidance),) if self.guidance else ()
        return Request(guide, max_tokens=self.max_tokens, temperature=self.temperature, top_p=self.top_p)

    async def _revised(
        self, record: Record, reviser: Reviser, principles: Sequence[Principle], dice: Dice
    ) -> tuple[Record, list[Rejected]]:
        """The record with a step for each round that could be read, and the replies of the others."""
        unread: list[Rejected] = []
        for round_ in range(1, self.rounds + 1):
            principle = dice.random(record.id, "principle", round_).choice(principles)
            seeds = dice.number(record.id, "critique", round_), dice.number(record.id, "revision", round_)
            made = await reviser.revised(record.prompt, record.answers[-1].text, principle, seeds)
            if isinstance(made, Unfilled):
                facts: dict[str, Fact] = {"round": round_, "principle": principle.id}
                unread.append(
                    made.rejected(
                        dice.stage, reviser.engine.name, source=record.source, parents=(record.id,), meta=facts
                    )
                )
                continue
            step = len(record.answers)
            record = record.with_answers([*record.answers, Answer(made.text, by=reviser.engine.name)]).with_meta(
                **{f"principle_{step}": principle.id, f"critique_{step}": made.critique}
            )
        return record, unread

    def _with_pair(self, record: Record, stage: str) -> Record | Rejected:
        if len(record.answers) == 1:
            return Rejected(record, stage, f"none of {self.rounds} rounds gave a revision")
        return paired(record, self.chosen, self.rejected)


_FACTS = re.compile(r"(?:principle|critique)_\d+")


def _begun(record: Record, first: Answer) -> Record:
    """The record with its initial answer alone, and without what an earlier stage of this kind said of it."""
    facts = {name: fact for name, fact in record.meta.items() if not _FACTS.fullmatch(name)}
    return replace(record, answers=(first,), meta=facts)


def _not_steps(record: Record, first: Answer, stage: str) -> list[Rejected]:
    """The record's other answers: what the record holds from now on are its steps."""
    others = [answer for answer in record.answers if answer is not first]
    return [Rejected(record.with_answers([a]), stage, "not the answer that was revised", "answer") for a in others]
