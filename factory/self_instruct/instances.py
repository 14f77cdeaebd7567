"""Stages 2 to 4 of Self-Instruct: is it classification, an input and an output for it, and which instances to trust.

Classification tasks get their label first and an input that fits it, or the model would write inputs for one label
only; all others get an input, where they need one, and then an output (arXiv:2212.10560 section 2.2). The published
code has a base model continue examples; a chat model is asked for the text, and then to do the task, as users do.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tuneworks.factory.answer import unusable
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Answer, Message, Record, Rejected
from tuneworks.factory.seeds import task_prompt
from tuneworks.factory.self_instruct.prompts import Prompts
from tuneworks.factory.self_instruct.sorting import Question

EXAMPLES = 5
TEMPERATURE, TOP_P = 0.7, 0.9


@dataclass(frozen=True, slots=True)
class Limits:
    """How many instances a task gets, how long their parts may be, and how the model is guided to the output."""

    instances: int
    max_tokens: int
    guidance: str


@dataclass(frozen=True, slots=True)
class Instances:
    """Turns tasks into instances with one engine."""

    seeds: Sequence[Record]
    engine: Engine
    dice: Dice
    prompts: Prompts
    limits: "Limits"
    classification: Question
    needs_input: Question

    @classmethod
    async def calibrated(
        cls, seeds: Sequence[Record], engine: Engine, dice: Dice, prompts: Prompts, limits: "Limits"
    ) -> "Instances":
        def labelled(seed: Record) -> bool:
            return bool(seed.meta["is_classification"])

        def with_input(seed: Record) -> bool:
            return bool(seed.meta["input"])

        classification, needs_input = await asyncio.gather(
            Question(prompts.classification, labelled, seeds, dice).calibrated(engine),
            Question(prompts.needs_input, with_input, seeds, dice, balanced=True).calibrated(engine),
        )
        return cls(seeds, engine, dice, prompts, limits, classification, needs_input)

    async def of(self, task: Record) -> list[Record | Rejected]:
        """The task's instances, those that can be trusted and those that cannot."""
        try:
            labelled = await self.classification.answer(task.prompt_text, self.engine)
            make = self._label_first if labelled else self._input_first
            made = await asyncio.gather(*(make(task, index) for index in range(self.limits.instances)))
        except EngineUnavailable:
            raise
        except EngineError as error:
            return [Rejected(task, self.dice.stage, str(error))]
        return still_tasks(trusted(made, self.dice.stage))

    async def _label_first(self, task: Record, index: int) -> Record | Rejected:
        p = self.prompts
        alike = [s for s in self.seeds if s.meta["is_classification"] and s.answers and s.meta["input"]]
        shown = self.dice.random("examples", index).sample(alike, min(EXAMPLES, len(alike)))
        lines = [self._labelled(s) for s in shown]
        opening = "\n\n".join([*lines, f"{p.task} {task.prompt_text}\n{p.label}"])
        reply = await self._ask(p.output_first, ("label", task.id, index), opening, (f"\n\n{p.task}", f"\n{p.task}"))
        label, given = split_instance(reply.text, p)
        reason = unusable(reply) or ("the label has more than one line" if "\n" in label else None)
        return self._instance(task, given, label, classification=True, reason=reason)

    def _labelled(self, seed: Record) -> str:
        p = self.prompts
        return f"{p.task} {seed.meta['instruction']}\n{p.label} {seed.answers[0].text}\n{p.given} {seed.meta['input']}"

    async def _input_first(self, task: Record, index: int) -> Record | Rejected:
        given = ""
        if await self.needs_input.answer(task.prompt_text, self.engine):
            wanted = self.prompts.make_input.format(task=task.prompt_text)
            reply = await self._ask(wanted, ("input", task.id, index))
            given, reason = reply.text.strip(), unusable(reply) or self._leak(reply.text)
            if reason is not None:
                return self._instance(task, given, "", classification=False, reason=f"its input: {reason}")
        asked = task_prompt(task.prompt_text, given)
        reply = await self._ask(asked, ("output", task.id, index), guidance=self.limits.guidance)
        record = self._instance(task, given, reply.text.strip(), classification=False, reason=None)
        reason = unusable(reply)
        if reason is None or isinstance(record, Rejected):
            return record
        return Rejected(record, self.dice.stage, reason, "answer")

    def _leak(self, given: str) -> str | None:
        said = next((word for word in self.prompts.leaks if word in given.lower()), None)
        return f'it speaks of the asking: "{said}"' if said else None

    async def _ask(
        self,
        text: str,
        place: tuple[str | int, ...],
        opening: str = "",
        stop: tuple[str, ...] = (),
        guidance: str = "",
    ) -> Completion:
        guide = (Message("system", guidance),) if guidance else ()
        request = Request(
            messages=(*guide, Message("user", text)),
            opening=opening,
            max_tokens=self.limits.max_tokens,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            stop=stop,
            seed=self.dice.number(*place),
        )
        return await self.engine.complete(request)

    def _instance(
        self, task: Record, given: str, output: str, classification: bool, reason: str | None
    ) -> Record | Rejected:
        record = Record.born(
            task_prompt(task.prompt_text, given),
            answers=[Answer(output, by=self.engine.name)],
            source=task.source,
            parents=task.parents,
            meta={**task.meta, "task": task.id, "input": given, "is_classification": classification},
        )
        reason = reason or instance_rule(given, output)
        return record if reason is None else Rejected(record, self.dice.stage, reason)


def split_instance(text: str, prompts: Prompts) -> tuple[str, str]:
    """(label, input) of a reply that goes on after "Label:"; a missing part is empty."""
    marker = re.escape(prompts.given.rstrip(":："))
    label, *rest = re.split(rf"(?:^|\n)\s*{marker}\s*[:：]", text, maxsplit=1)
    return label.strip(), rest[0].strip() if rest else ""


def instance_rule(given: str, output: str) -> str | None:
    """The published instance filters: why an instance cannot be trusted, or None."""
    if not output:
        return "the reply holds no output"
    if given == output:
        return "the output equals the input"
    if output.endswith((":", "：")) or given.endswith((":", "：")):
        return "the input or output ends with a colon"
    return None


def still_tasks(items: Sequence[Record | Rejected]) -> list[Record | Rejected]:
    """An instance whose output alone cannot be used is a task all the same: it stays, without an answer, where no
    other instance asks the same."""
    asked = {item.prompt_text for item in items if isinstance(item, Record)}
    made: list[Record | Rejected] = []
    for item in items:
        made.append(item)
        if isinstance(item, Rejected) and item.part == "answer" and item.record.prompt_text not in asked:
            asked.add(item.record.prompt_text)
            made.append(item.record.with_answers([]))
    return made


def trusted(made: Sequence[Record | Rejected], stage: str) -> list[Record | Rejected]:
    """Drop what contradicts or repeats: one input with two outputs takes all of the task's instances with it."""
    records = [m for m in made if isinstance(m, Record)]
    outputs: dict[str, set[str]] = {}
    for record in records:
        outputs.setdefault(record.prompt_text, set()).add(record.answers[0].text)
    contradiction = any(len(outputs[r.prompt_text]) > 1 and r.meta["input"] for r in records)
    kept: list[Record | Rejected] = []
    seen: set[str] = set()
    for item in made:
        if isinstance(item, Record) and contradiction:
            kept.append(Rejected(item, stage, "another instance has the same input and a different output"))
        elif isinstance(item, Record) and item.prompt_text in seen:
            kept.append(Rejected(item, stage, "another instance has the same prompt"))
        else:
            kept.append(item)
        if isinstance(item, Record):
            seen.add(item.prompt_text)
    return kept
