"""RLAIF: a model instead of a person says which of two answers is better (arXiv:2212.08073 section 4, 2309.00267).

It is asked a comparison principle about the answers (A) and (B), and the probabilities of the two letters are the
label: a soft one, for a hard one throws away how sure the model was. Both orders and several principles are averaged.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field, field_validator

from tuneworks.factory.answer import Answering
from tuneworks.factory.best_of_n import different
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import RecipeError
from tuneworks.factory.flight import in_order
from tuneworks.factory.pair_rules import unmarked
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import load_prompts
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.rlaif.comparing import Comparer
from tuneworks.factory.rlaif.labelling import Labeller
from tuneworks.factory.rlaif.principles import load_principles
from tuneworks.factory.rlaif.prompts import PROMPTS

REASONED = (0.4, 0.6)
"""A model that has reasoned is surer than it is right, so its labels are held near a half, as in the paper."""

FREE = (0.0, 1.0)


class Rlaif(Answering):
    """Let the model say which answers to a prompt are better; the probability is kept as a soft label."""

    kind: ClassVar[str] = "rlaif"
    # As Constitutional AI asks: one principle for each pair, samples at temperature 1.
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {"n": 2, "principles": 1, "temperature": 1.0, "top_p": 1.0}
    }

    n: int = Field(default=2, ge=2)
    """How many answers are compared; what a record lacks is sampled, and all of those it has are used."""
    principles: int = Field(default=4, ge=1)
    """How many comparison principles are drawn for each pair of answers; the labels by each are averaged."""
    file: File | None = None
    """A YAML file with your own principles: a list of questions such as "Which answer is kinder?", or such lists under
    `en` and `zh`; our twenty when left out."""
    reasoning: bool = False
    """Whether the model compares the two in words before its letter is read."""
    clamp: tuple[float, float] | None = None
    """No single reading counts for less or more than these; 0.4 and 0.6 when left out and the model reasons."""
    prompts: File | None = None
    """A YAML file of your own texts for `question`, `opening`, `reasoning` and `verdict`; ours when left out."""
    temperature: float = Field(default=1.0, ge=0)
    """How far apart the sampled answers are; 0 would make them all alike."""

    @field_validator("clamp")
    @classmethod
    def _around_a_half(cls, clamp: tuple[float, float] | None) -> tuple[float, float] | None:
        if clamp is not None and not 0 <= clamp[0] < 0.5 < clamp[1] <= 1:
            raise ValueError("write two numbers from 0 to 1 with a half between them, such as [0.4, 0.6]")
        return clamp

    def calls(self, records: int) -> int:
        readings = self.n * (self.n - 1) * self.principles * (2 if self.reasoning else 1)
        return records * (self.n + readings)

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)
        for texts in load_principles(self.file).values():
            if len(texts) < self.principles:
                raise RecipeError(
                    f"rlaif draws {self.principles} principles for a pair and {self.file or 'our list'} holds "
                    f"{len(texts)}; lower principles or write more"
                )

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        labeller = self._labeller(engine, dice)
        async for items in in_order((partial(self._labelled, r, engine, dice, labeller) for r in records), engine.room):
            for item in items:
                yield item

    def _labeller(self, engine: Engine, dice: Dice) -> Labeller:
        clamp = self.clamp or (REASONED if self.reasoning else FREE)
        comparers = {
            language: Comparer(engine, texts, dice, self.reasoning, clamp)
            for language, texts in load_prompts(self.prompts, PROMPTS).items()
        }
        return Labeller(comparers, load_principles(self.file), self.principles, dice)

    async def _labelled(
        self, record: Record, engine: Engine, dice: Dice, labeller: Labeller
    ) -> list[Record | Rejected]:
        """The record with its labels, and every answer that was set aside."""
        plain = unmarked(record)
        lacking = range(len(plain.answers), self.n)
        samples = await asyncio.gather(*(self.sample(plain, engine, dice, place) for place in lacking))
        answers, aside = different(plain, samples, dice.stage)
        whole = plain.with_answers(answers)
        if len(answers) < 2:
            tried = len(plain.answers) + len(samples)
            reason = f"{len(answers)} of its {tried} answers can be used, and a comparison needs 2"
            return [*aside, Rejected(whole, dice.stage, reason)]
        return [*aside, await labeller.labelled(whole)]
