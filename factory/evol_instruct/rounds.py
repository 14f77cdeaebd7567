"""The rounds: every instruction of the pool is evolved by one operator; one whose evolution fails is tried again later.

A record's way through the rounds hangs on no other record's, so it goes on without waiting for them.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from tuneworks.factory.answer import Answering
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.evol_instruct.drafts import Draft, Drafting, form
from tuneworks.factory.evol_instruct.elimination import Rule, blank, copied, hardly_new, same_words, sorry
from tuneworks.factory.evol_instruct.equality import Equality
from tuneworks.factory.evol_instruct.operators import Operator, draw
from tuneworks.factory.evol_instruct.signs import bad_sign
from tuneworks.factory.form import Filled, Unfilled, fill, whole_characters
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import Answer, Fact, Message, Record, Rejected
from tuneworks.factory.seeds import task_prompt


@dataclass(frozen=True, slots=True)
class Line:
    """One record's way through the rounds: where it began, where it is, and what was made and eliminated between."""

    origin: Record
    latest: Record
    texts: tuple[str, ...]
    """The prompts it has been, the first one first."""
    items: tuple[Record | Rejected, ...] = ()
    answered: bool = False
    """Whether the model ever replied."""
    reason: str = "it has no user message"
    """Why it failed last."""

    @classmethod
    def of(cls, record: Record) -> "Line":
        return cls(record, record, (record.prompt_text,))

    def evolved(self, child: Record, items: Iterable[Record | Rejected]) -> "Line":
        texts = (*self.texts, child.prompt_text)
        return replace(self, latest=child, texts=texts, items=(*self.items, *items), answered=True)

    def failed(self, rejected: Rejected, answered: bool = True) -> "Line":
        items = (*self.items, rejected)
        return replace(self, items=items, answered=self.answered or answered, reason=rejected.reason)

    def ended(self, stage: str, rounds: int, originals: bool) -> list[Record | Rejected]:
        """All that came of it. A record that could not be evolved stays where originals do, if the model replied."""
        made = any(isinstance(item, Record) for item in self.items)
        if originals and (made or self.answered):
            return [self.origin, *self.items]
        lost = Rejected(self.origin, stage, f"could not be evolved in {rounds} rounds: {self.reason}")
        return [*self.items] if made else [*self.items, lost]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why an evolution is eliminated, or None, and its answer where it was asked for one."""

    reason: str | None
    answer: Answer | None = None
    unusable: Rejected | None = None
    """The answer, where it cannot be used for what it is."""


@dataclass(frozen=True, slots=True)
class Rounds:
    engine: Engine
    dice: Dice
    drafting: Mapping[Language, Drafting]
    equality: Mapping[Language, Equality]
    rules: Set[Rule]
    answering: Answering

    async def through(self, line: Line, rounds: Iterable[int], weights: Mapping[Operator, float]) -> Line:
        if not line.origin.prompt_text.strip():
            return line
        for round_ in rounds:
            line = await self._round(line, round_, draw(weights, self.dice, line.origin, round_))
        return line

    async def _round(self, line: Line, round_: int, operator: Operator) -> Line:
        language = language_of(line.origin.prompt_text)
        drafting = self.drafting[language]
        draft = drafting.draft(line.latest, operator, round_, self.dice)
        reply = await fill(form(drafting.words), draft.request, self.engine, language)
        about: dict[str, Fact] = {"operator": operator, "round": round_}
        parents = (line.latest.id,)
        if isinstance(reply, Unfilled):
            gone = reply.rejected(
                self.dice.stage, self.engine.name, source=line.origin.source, parents=parents, meta=about
            )
            return line.failed(gone, reply.answered)
        instruction, given = draft.task(reply)
        child = evolved(line.latest, instruction, given, about)
        verdict = await self._verdict(child, line, draft, drafting, operator, round_)
        if verdict.reason is not None:
            return line.failed(self._eliminated(child, draft, reply, verdict))
        child = child.with_answers([verdict.answer] if verdict.answer and not verdict.unusable else [])
        return line.evolved(child, [child, *([verdict.unusable] if verdict.unusable else [])])

    def _eliminated(self, child: Record, draft: Draft, reply: Filled, verdict: Verdict) -> Rejected:
        """The raw reply, and the answer to what was read from it where there is one."""
        raw = Answer(whole_characters(reply.reply.text), self.engine.name)
        answers = [raw, verdict.answer] if verdict.answer else [raw]
        asked = Record.born(
            draft.request.messages, answers=answers, source=child.source, parents=child.parents, meta=child.meta
        )
        return Rejected(asked, self.dice.stage, str(verdict.reason), "reply")

    async def _verdict(
        self, child: Record, line: Line, draft: Draft, drafting: Drafting, operator: Operator, round_: int
    ) -> Verdict:
        """By the rules that are on, the cheapest first."""
        reason = self._by_text(child, line, draft, drafting, operator)
        if reason is None and "no_gain" in self.rules:
            reason = await self._no_gain(child, line, drafting.language, round_)
        if reason is not None or not self.rules & {"sorry", "blank"}:
            return Verdict(reason)
        return await self._by_answer(child, drafting.language, round_)

    def _by_text(self, child: Record, line: Line, draft: Draft, drafting: Drafting, operator: Operator) -> str | None:
        text, parent, words = child.prompt_text, line.latest, drafting.words
        reason = same_words(text, line.texts) if "no_gain" in self.rules else None
        if reason is None and "copied" in self.rules:
            said = [m.content.replace(parent.prompt_text, "") for m in draft.request.messages]
            reason = copied(text, parent.prompt_text, words, said, drafting.language)
        if reason is None and "cheap" in self.rules:
            instruction = str(child.meta["instruction"])
            reason = hardly_new(text, parent.prompt_text)
            reason = reason or bad_sign(text, instruction, parent, operator, words, drafting.language)
        return reason

    async def _no_gain(self, child: Record, line: Line, language: Language, round_: int) -> str | None:
        place = f"{line.latest.id} {round_}"
        try:
            return await self.equality[language].no_gain(line.latest.prompt_text, child.prompt_text, place)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return f"it could not be compared with its parent: {error}"

    async def _by_answer(self, child: Record, language: Language, round_: int) -> Verdict:
        made = await self.answering.sample(child, self.engine, self.dice, "answer", round_)
        said = [made] if isinstance(made, Answer) else made.record.answers
        if isinstance(made, Rejected) and not said:
            return Verdict(f"it could not be answered: {made.reason}")
        answer = replace(said[0], text=whole_characters(said[0].text))
        unusable = replace(made, record=child.with_answers([answer])) if isinstance(made, Rejected) else None
        reason = sorry(answer.text, child.prompt_text, language) if "sorry" in self.rules else None
        if reason is None and "blank" in self.rules:
            reason = blank(answer.text)
        return Verdict(reason, answer, unusable)


def evolved(parent: Record, instruction: str, given: str, about: Mapping[str, Fact]) -> Record:
    """The record made of `parent`: its messages up to the request, the new request, no answers, facts of its own."""
    last = max(at for at, message in enumerate(parent.prompt) if message.role == "user")
    depth = parent.meta.get("depth", 0)
    facts: dict[str, Fact] = {
        "instruction": instruction,
        "input": given,
        "depth": (depth if isinstance(depth, int) else 0) + 1,
    }
    return Record.born(
        (*parent.prompt[:last], Message("user", task_prompt(instruction, given))),
        source=parent.source,
        parents=(parent.id,),
        meta={**about, **facts},
    )
