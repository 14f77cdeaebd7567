"""Stages 2 to 4 of Self-Instruct as published: a model goes on with examples (arXiv:2212.10560, section 2.2).

One reply says whether a task is classification, a second holds up to five instances of it; both take the likeliest
token each time. An instance that the reply breaks off in is not used.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.form import whole_characters
from tuneworks.factory.record import Answer, Message, Record, Rejected
from tuneworks.factory.self_instruct.instances import Limits
from tuneworks.factory.self_instruct.layouts import laid_out
from tuneworks.factory.self_instruct.listing import CUT
from tuneworks.factory.self_instruct.prompts import Prompts
from tuneworks.factory.self_instruct.text_rules import INSTANCE_RULES, instance_complaint
from tuneworks.factory.self_instruct.trust import Made, born, trusted

YES_EXAMPLES, NO_EXAMPLES = 12, 19
QUESTION_TOKENS = 3
PRESENCE_PENALTY = 1.5
INSTANCE_EXAMPLES = 12
"""Seeds shown before a task; the published prompts hold about as many."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a reply holds for one instance; a `reason` says why it is none."""

    given: str
    output: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FewShot:
    """Turns tasks into instances with one engine."""

    seeds: Sequence[Record]
    engine: Engine
    dice: Dice
    prompts: Prompts
    limits: Limits

    async def of(self, task: Record) -> list[Made]:
        """The task's instances, those that can be trusted and those that cannot."""
        try:
            labelled = await self._is_classification(task)
            reply = await self._instances(task, labelled)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return [Rejected(task, self.dice.stage, str(error))]
        text = whole_characters(reply.text)
        found = split_labels(text, self.prompts) if labelled else split_examples(text, self.prompts)
        if not any(f.reason is None for f in found):
            raw = task.with_answers([Answer(text, by=self.engine.name)])
            return [Rejected(raw, self.dice.stage, "the reply holds no instance")]
        if reply.finish == "length":
            last = max(at for at, f in enumerate(found) if f.reason is None)
            found[last] = Found(found[last].given, found[last].output, CUT)
        made = [self._made(task, index, f, labelled) for index, f in enumerate(found)]
        return self._sampled(task, trusted(made, self.dice.stage, one_a_prompt=False))

    async def _is_classification(self, task: Record) -> bool:
        w = self.prompts.is_classification
        rng = self.dice.random("few-shot", "classification")
        yes = [s for s in self.seeds if s.meta["is_classification"]]
        no = [s for s in self.seeds if not s.meta["is_classification"]]
        shown = rng.sample(yes, min(YES_EXAMPLES, len(yes))) + rng.sample(no, min(NO_EXAMPLES, len(no)))
        rng.shuffle(shown)
        lines = [
            f"{w.task} {s.meta['instruction']}\n{w.answer}{w.yes if s.meta['is_classification'] else w.no}"
            for s in shown
        ]
        opening = "\n\n".join([*lines, f"{w.task} {task.prompt_text}\n{w.answer}"])
        stop = ("\n", w.task.rstrip(":："))
        reply = await self._ask(w.ask, opening, QUESTION_TOKENS, 0.0, stop, "classification", task.id)
        return reply.text.strip().casefold() == w.yes.strip().casefold()

    async def _instances(self, task: Record, labelled: bool) -> Completion:
        p = self.prompts
        layout = self._label_example if labelled else self._input_example
        known = [s for s in self.seeds if bool(s.meta["is_classification"]) == labelled and s.answers]
        shown = self.dice.random("few-shot", "instances", int(labelled)).sample(
            known, min(INSTANCE_EXAMPLES, len(known))
        )
        opening = "\n\n".join([*map(layout, shown), f"{p.task} {task.prompt_text}\n"])
        stop = (f"{p.example} {self.limits.instances + 1}", p.task)
        ask = p.output_first if labelled else p.instances
        return await self._ask(ask, opening, self.limits.max_tokens, PRESENCE_PENALTY, stop, "instances", task.id)

    def _label_example(self, seed: Record) -> str:
        p = self.prompts
        given = f"\n{p.given} {seed.meta['input']}" if seed.meta["input"] else ""
        return f"{p.task} {seed.meta['instruction']}\n{p.label} {seed.answers[0].text}{given}"

    def _input_example(self, seed: Record) -> str:
        p = self.prompts
        output = f"{p.output} {seed.answers[0].text}"
        if not seed.meta["input"]:
            return f"{p.task} {seed.meta['instruction']}\n{output}"
        return f"{p.task} {seed.meta['instruction']}\n{p.example} 1\n{p.given} {seed.meta['input']}\n{output}"

    async def _ask(
        self, text: str, opening: str, tokens: int, penalty: float, stop: tuple[str, ...], *place: str
    ) -> Completion:
        request = Request(
            messages=(Message("user", text),),
            opening=opening,
            max_tokens=tokens,
            temperature=0.0,
            presence_penalty=penalty,
            stop=stop,
            seed=self.dice.number(*place),
        )
        return await self.engine.complete(request)

    def _made(self, task: Record, index: int, found: Found, labelled: bool) -> Made:
        rng = self.dice.random("layout", task.id, index)
        prompt = laid_out(task.prompt_text, found.given, self.limits.layout, rng)
        record = born(task, found.given, Answer(found.output, by=self.engine.name), prompt, labelled)
        reason = found.reason or instance_complaint(task.prompt_text, found.given, found.output, INSTANCE_RULES)
        return record if reason is None else Rejected(record, self.dice.stage, reason)

    def _sampled(self, task: Record, made: list[Made]) -> list[Made]:
        """With `instances` of the good ones by dice, and the others set aside."""
        good = [at for at, item in enumerate(made) if isinstance(item, Record)]
        most = self.limits.instances
        kept = set(self.dice.random("sampled", task.id).sample(good, min(most, len(good))))
        reason = f"{len(good)} instances, more than {most}, and not drawn"
        return [
            Rejected(item, self.dice.stage, reason) if isinstance(item, Record) and at not in kept else item
            for at, item in enumerate(made)
        ]


def split_labels(text: str, prompts: Prompts) -> list[Found]:
    """Labels, each with the input after it."""
    before, *pieces = re.split(rf"(?:^|\n)[ \t]*{_mark(prompts.label)}[ \t]*[:：]", text)
    found = [Found(before.strip(), "", "it stands before the first label")] if before.strip() else []
    for piece in pieces:
        label, _, given = piece.strip().partition("\n")
        found.append(Found(_without(prompts.given, given), label.strip()))
    return found


def split_examples(text: str, prompts: Prompts) -> list[Found]:
    """Instances that stand under "Example 1", "Example 2"..., or the one that is the reply."""
    example, output = _mark(prompts.example), _mark(prompts.output)
    before, *pieces = re.split(rf"(?:^|\n)[ \t]*{example}[ \t]?\d{{0,3}}[ \t]*[.:：]?[ \t]*(?=\n|$)", text)
    if not pieces:
        has_output = re.search(rf"(?:^|\n)[ \t]*{output}[ \t]*\d{{0,3}}[ \t]*[:：]", text)
        return _input_and_output(text, prompts) if has_output else []
    found = [Found(before.strip(), "", "it stands before the first example")] if before.strip() else []
    return found + [part for piece in pieces if piece.strip() for part in _input_and_output(piece, prompts)]


def _input_and_output(text: str, prompts: Prompts) -> list[Found]:
    """The first input and output; a second pair under one number is set aside, as in the published code."""
    given_mark = rf"(?:^|\n)[ \t]*{_mark(prompts.given)}[ \t]*\d{{0,3}}[ \t]*[:：]"
    parts = re.split(rf"(?:^|\n)[ \t]*{_mark(prompts.output)}[ \t]*\d{{0,3}}[ \t]*[:：]", text, maxsplit=2)
    if len(parts) == 1 and (lone := _without(prompts.given, text)) != text.strip():
        return [Found(lone, "")]
    given, output = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
    output, *again = re.split(given_mark, output, maxsplit=1)
    found = [Found(_without(prompts.given, given), output.strip())]
    more = [*again, *parts[2:]]
    if any(part.strip() for part in more):
        found.append(Found(more[0].strip(), more[-1].strip(), "a second input or output under one number"))
    return found


def _without(label: str, text: str) -> str:
    return re.sub(rf"\A\s*{_mark(label)}[ \t]*\d{{0,3}}[ \t]*[:：]", "", text).strip()


def _mark(label: str) -> str:
    return re.escape(label.rstrip(":："))
