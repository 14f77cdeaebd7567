"""Stages 2 and 3 of Self-Instruct: is it classification, and an input and an output for it.

Classification tasks get their label first and an input that fits it, or the model would write inputs for one label
only; all others get an input, where they need one, and then an output (arXiv:2212.10560 section 2.2). The published
code has a base model continue examples; a chat model is asked for the text, and then to do the task, as users do.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneworks.factory.answer import unusable
from tuneworks.factory.dice import Dice, Place
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.form import Form, Unfilled, fill, whole_characters
from tuneworks.factory.language import Language
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Answer, Message, Record, Rejected
from tuneworks.factory.self_instruct.layouts import Layout, laid_out
from tuneworks.factory.self_instruct.prompts import Prompts
from tuneworks.factory.self_instruct.sorting import Question
from tuneworks.factory.self_instruct.text_rules import instance_complaint
from tuneworks.factory.self_instruct.trust import Made, born, still_tasks, trusted
from tuneworks.factory.wording import repetition

EXAMPLES = 5
TEMPERATURE, TOP_P = 0.7, 0.9


@dataclass(frozen=True, slots=True)
class Limits:
    """How many instances a task gets, how long their parts may be, how they are laid out, and how the model is guided
    to the output."""

    instances: int
    max_tokens: int
    guidance: str = ""
    layout: Layout = "plain"


@dataclass(frozen=True, slots=True)
class Instances:
    """Turns tasks into instances with one engine."""

    seeds: Sequence[Record]
    engine: Engine
    dice: Dice
    language: Language
    prompts: Prompts
    limits: Limits
    classification: Question
    needs_input: Question

    @classmethod
    async def calibrated(
        cls, seeds: Sequence[Record], engine: Engine, dice: Dice, language: Language, prompts: Prompts, limits: Limits
    ) -> "Instances":
        def labelled(seed: Record) -> bool:
            return bool(seed.meta["is_classification"])

        def with_input(seed: Record) -> bool:
            return bool(seed.meta["input"])

        classification, needs_input = await asyncio.gather(
            Question(prompts.classification, labelled, seeds, dice).calibrated(engine),
            Question(prompts.needs_input, with_input, seeds, dice, balanced=True).calibrated(engine),
        )
        return cls(seeds, engine, dice, language, prompts, limits, classification, needs_input)

    async def of(self, task: Record) -> list[Made]:
        """The task's instances, those that can be trusted and those that cannot."""
        try:
            labelled = await self.classification.answer(task.prompt_text, self.engine)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return [Rejected(task, self.dice.stage, str(error))]
        made = await asyncio.gather(*(self._one(task, labelled, index) for index in range(self.limits.instances)))
        return still_tasks(trusted(made, self.dice.stage))

    async def _one(self, task: Record, labelled: bool, index: int) -> Made:
        make = self._input_first
        if labelled:
            make = self._label_form if self.engine.structured else self._label_first
        try:
            return await make(task, index)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Rejected(task, self.dice.stage, str(error))

    async def _label_first(self, task: Record, index: int) -> Made:
        """The model goes on with examples that have the label before the input."""
        p = self.prompts
        lines = [
            f"{p.task} {seed.meta['instruction']}\n{p.label} {seed.answers[0].text}\n{p.given} {seed.meta['input']}"
            for seed in self._labelled_seeds(index)
        ]
        opening = "\n\n".join([*lines, f"{p.task} {task.prompt_text}\n{p.label}"])
        stop = (f"\n\n{p.task}", f"\n{p.task}")
        request = self._request((Message("user", p.output_first),), "label", task.id, index, opening=opening, stop=stop)
        reply = await self.engine.complete(request)
        label, given = split_instance(whole_characters(reply.text), p)
        reason = unusable(reply) or _label_complaint(label)
        return self._instance(task, index, given, label, classification=True, reason=reason)

    async def _label_form(self, task: Record, index: int) -> Made:
        """The same as a form, with the examples as earlier turns."""
        p = self.prompts
        turns: list[Message] = []
        for seed in self._labelled_seeds(index):
            form = {"label": seed.answers[0].text, "input": seed.meta["input"]}
            turns += [
                Message("user", f"{p.output_first}\n\n{p.task} {seed.meta['instruction']}"),
                Message("assistant", json.dumps(form, ensure_ascii=False)),
            ]
        asked = Message("user", f"{p.output_first}\n\n{p.task} {task.prompt_text}")
        form_of_two = Form({"label": _name(p.label), "input": _name(p.given)})
        request = self._request((*turns, asked), "label", task.id, index)
        made = await fill(
            form_of_two,
            request,
            self.engine,
            self.language,
            lambda texts: _label_complaint(texts["label"]) or repetition(texts["input"]),
        )
        if isinstance(made, Unfilled):
            return self._unfilled(task, index, made, "", classification=True)
        return self._instance(task, index, made.texts["input"], made.texts["label"], classification=True)

    def _labelled_seeds(self, index: int) -> list[Record]:
        alike = [s for s in self.seeds if s.meta["is_classification"] and s.answers and s.meta["input"]]
        return self.dice.random("examples", index).sample(alike, min(EXAMPLES, len(alike)))

    async def _input_first(self, task: Record, index: int) -> Made:
        given = ""
        if await self.needs_input.answer(task.prompt_text, self.engine):
            wanted = Message("user", filled(self.prompts.make_input, task=task.prompt_text))
            request = self._request((wanted,), "input", task.id, index)
            form = Form({"input": _name(self.prompts.given)})
            made = await fill(form, request, self.engine, self.language, self._input_complaint)
            if isinstance(made, Unfilled):
                return self._unfilled(task, index, made, "its input: ", classification=False)
            given = made.texts["input"]
        record = self._born(task, index, given, "", classification=False)
        guide = (Message("system", self.limits.guidance),) if self.limits.guidance else ()
        reply = await self.engine.complete(self._request((*guide, *record.prompt), "output", task.id, index))
        output = whole_characters(reply.text).strip()
        instance = self._instance(task, index, given, output, classification=False)
        reason = unusable(reply)
        if reason is None or isinstance(instance, Rejected):
            return instance
        return Rejected(instance, self.dice.stage, reason, "answer")

    def _input_complaint(self, texts: Mapping[str, str]) -> str | None:
        given = texts["input"]
        said = next((word for word in self.prompts.leaks if word in given.lower()), None)
        return f'it speaks of the asking: "{said}"' if said else repetition(given)

    def _request(
        self, messages: tuple[Message, ...], *place: Place, opening: str = "", stop: tuple[str, ...] = ()
    ) -> Request:
        return Request(
            messages=messages,
            opening=opening,
            max_tokens=self.limits.max_tokens,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            stop=stop,
            seed=self.dice.number(*place),
        )

    def _unfilled(self, task: Record, index: int, made: Unfilled, what: str, classification: bool) -> Rejected:
        """The raw reply stands as the output of what cannot be used."""
        if not made.answered:
            return Rejected(task, self.dice.stage, made.reason)
        raw = self._born(task, index, "", whole_characters(made.raw), classification)
        return Rejected(raw, self.dice.stage, f"{what}{made.reason}")

    def _instance(
        self, task: Record, index: int, given: str, output: str, classification: bool, reason: str | None = None
    ) -> Made:
        record = self._born(task, index, given, output, classification)
        reason = reason or instance_complaint(task.prompt_text, given, output)
        return record if reason is None else Rejected(record, self.dice.stage, reason)

    def _born(self, task: Record, index: int, given: str, output: str, classification: bool) -> Record:
        rng = self.dice.random("layout", task.id, index)
        answer = Answer(output, by=self.engine.name)
        return born(task, given, answer, laid_out(task.prompt_text, given, self.limits.layout, rng), classification)


def _name(label: str) -> str:
    return label.rstrip(":：")


def _label_complaint(label: str) -> str | None:
    return "the label has more than one line" if "\n" in label else None


def split_instance(text: str, prompts: Prompts) -> tuple[str, str]:
    """(label, input) of a reply that goes on after "Label:"; a missing part is empty."""
    marker = re.escape(_name(prompts.given))
    label, *rest = re.split(rf"(?:^|\n)[^\S\n]*{marker}[^\S\n]*[:：]", text, maxsplit=1)
    return label.strip(), rest[0].strip() if rest else ""
