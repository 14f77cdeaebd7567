"""Evol-Instruct (arXiv:2304.12244): instructions made harder and rarer round by round, failed evolutions eliminated."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from tuneworks.factory.answer import Answering
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.evol_instruct.drafts import Drafting
from tuneworks.factory.evol_instruct.elimination import PAPER_RULES, RULES, Rule
from tuneworks.factory.evol_instruct.equality import Equality, known_pairs
from tuneworks.factory.evol_instruct.operators import UNIFORM, Operator, standing, survival
from tuneworks.factory.evol_instruct.prompts import PROMPTS
from tuneworks.factory.evol_instruct.rounds import Line, Rounds
from tuneworks.factory.flight import in_order
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import load_prompts
from tuneworks.factory.record import Record, Rejected


class EvolInstruct(Answering):
    """Evolve each instruction into harder and rarer ones, and eliminate evolutions that failed (Evol-Instruct)."""

    kind: ClassVar[str] = "evol_instruct"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {
            "rounds": 4,
            "operators": dict(UNIFORM),
            "rules": PAPER_RULES,
            "leads": False,
            "retire_below": 0,
            "originals": True,
            "max_tokens": 2048,
            "temperature": 1.0,
            "top_p": 0.95,
        }
    }

    rounds: int = Field(default=2, ge=1)
    """How often each instruction is evolved; a failed evolution leaves it as it was for the next round."""
    operators: Mapping[Operator, Annotated[float, Field(ge=0)]] = UNIFORM
    """The operators that are drawn, with their weights: constraints, deepen, concretise, reasoning and complicate_input
    in depth, breadth for a rarer task of the same kind."""
    rules: tuple[Rule, ...] = RULES
    """Rules that eliminate an evolution: no_gain (the model finds it equal to its parent), sorry (its answer is short
    and says sorry), blank (its answer is only marks and stop words), copied (it has words of our prompt), cheap (signs
    in its length, layout and wording). With sorry or blank it is answered, and the answer is kept."""
    originals: bool = True
    """Whether the instructions it began with are handed on too, as in the paper's mix of all rounds."""
    retire_below: float = Field(default=0.0, ge=0, le=1)
    """From the next round on, leave out an operator of whose evolutions a smaller share survived, after 20 of them."""
    leads: bool = True
    """Begin each evolution with words of its parent and a few more, which a small model needs; no engine that holds
    replies to a schema is led."""
    prompts: File | None = None
    """A YAML file with prompts of your own in place of ours."""
    max_tokens: int = Field(default=512, ge=1)
    """Most tokens an evolved instruction, or its answer, may have; what is cut off there is not used."""
    temperature: float = Field(default=1.0, ge=0)
    """Of evolving and of answering; 0 takes the likeliest token each time."""
    guidance: str = ""
    """Said to the model as the system message when it answers an evolved instruction, and not kept in the record."""

    @field_validator("operators")
    @classmethod
    def _drawable(cls, weights: Mapping[Operator, float]) -> Mapping[Operator, float]:
        if not any(weights.values()):
            raise ValueError("no operator has a weight over 0; write for example {deepen: 2, breadth: 1}")
        return weights

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)

    def calls(self, records: int) -> int:
        judged, answered = "no_gain" in self.rules, bool({"sorry", "blank"} & set(self.rules))
        known = 2 * len(known_pairs("en")) if judged else 0
        return known + records * self.rounds * (1 + 2 * judged + answered)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        rounds = await self._rounds(records, engine, dice)
        lines = [Line.of(record) for record in records]
        weights = self.operators
        *before, last = self._stretches()
        for stretch in before:
            through = (partial(rounds.through, line, stretch, weights) for line in lines)
            lines = [line async for line in in_order(through, engine.room)]
            survived = survival(item for line in lines for item in line.items)
            weights = standing(self.operators, survived, self.retire_below)
        async for line in in_order((partial(rounds.through, line, last, weights) for line in lines), engine.room):
            for item in line.ended(dice.stage, self.rounds, self.originals):
                yield item

    def _stretches(self) -> list[range]:
        """Rounds that go on without a look at the others': all, or each alone where operators may be retired."""
        every = range(1, self.rounds + 1)
        return [range(n, n + 1) for n in every] if self.retire_below else [every]

    async def _rounds(self, records: Sequence[Record], engine: Engine, dice: Dice) -> Rounds:
        prompts = load_prompts(self.prompts, PROMPTS)
        languages: list[Language] = sorted({language_of(record.prompt_text) for record in records})
        drafting = {
            language: Drafting(
                prompts[language],
                language,
                engine.structured,
                self.leads,
                self.max_tokens,
                self.temperature,
                self.top_p,
            )
            for language in languages
        }
        equality: list[Equality] = []
        if "no_gain" in self.rules:
            asked = (Equality(prompts[language], language, engine, dice).calibrated() for language in languages)
            equality = await asyncio.gather(*asked)
        judges = {judge.language: judge for judge in equality}
        return Rounds(engine, dice, drafting, judges, frozenset(self.rules), self)
