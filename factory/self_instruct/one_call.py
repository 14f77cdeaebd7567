"""One call for everything: instruction, input and output of a few tasks in one reply, as Stanford Alpaca did.

The code behind Alpaca's data is Self-Instruct (arXiv:2212.10560) made cheaper: no question whether a task is
classification, no call of its own for the input and the output. Examples stand as earlier turns of the chat, which
show a model of any size how a reply is laid out.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.generator import Generator
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import filled, load_prompts
from tuneworks.factory.record import Answer, Fact, Message, Record, Rejected
from tuneworks.factory.rouge import ascii_tokens
from tuneworks.factory.self_instruct.asking import Lost, read_reply
from tuneworks.factory.self_instruct.growth import WINDOW, Candidates, Reply, grow
from tuneworks.factory.self_instruct.items import NAMES, SCHEMA, Item, read_items
from tuneworks.factory.self_instruct.layouts import Layout, laid_out
from tuneworks.factory.self_instruct.listing import TASKS
from tuneworks.factory.self_instruct.pool import Gate, Pool, seed_tasks
from tuneworks.factory.self_instruct.text_rules import ALPACA_RULES, RuleSet, instance_complaint
from tuneworks.factory.wording import repetition

EXAMPLES = 3
TOP_P = 0.95


@dataclass(frozen=True, slots=True)
class Prompts:
    ask: str
    """Asks for {count} tasks."""
    ask_json: str
    """The same, as JSON."""
    instruction: str
    input: str
    output: str
    no_input: str
    """What stands for an input where there is none."""

    @property
    def labels(self) -> tuple[str, str, str]:
        """Without their colons."""
        return self.instruction.rstrip(":："), self.input.rstrip(":："), self.output.rstrip(":：")


ENGLISH = Prompts(
    ask=(
        "New tasks to write: {count}. Each is one that somebody could give to an assistant, on a subject of its own. "
        "Give its instruction, its input, or none, and its output."
    ),
    ask_json=(
        "New tasks to write: {count}. Each is one that somebody could give to an assistant, on a subject of its own. "
        'Reply with a JSON object that has the list "tasks"; each task has "instruction", "input" (empty where it '
        'needs none) and "output".'
    ),
    instruction="Instruction:",
    input="Input:",
    output="Output:",
    no_input="none",
)

CHINESE = Prompts(
    ask="请写新任务，数量：{count}。每个都是人们可能交给助手的，各有各的主题。写出它的指令、输入（没有就写“无”）和输出。",
    ask_json=(
        "请写新任务，数量：{count}。每个都是人们可能交给助手的，各有各的主题。请用JSON对象回复，其中的列表“tasks”里，"
        "每个任务有“instruction”（指令）、“input”（输入，不需要就留空）和“output”（输出）。"
    ),
    instruction="指令：",
    input="输入：",
    output="输出：",
    no_input="无",
)

PROMPTS: Mapping[Language, Prompts] = {"en": ENGLISH, "zh": CHINESE}


class OneCall(Generator):
    """Make new tasks from seed tasks, instruction, input and output in one reply (as Stanford Alpaca did)."""

    kind: ClassVar[str] = "one_call"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "alpaca": {"rules": "published", "max_similarity": 0.7, "per_reply": 17, "max_tokens": 3072, "temperature": 1.0}
    }

    target: int = Field(default=100, ge=1)
    """How many new tasks to make."""
    per_reply: int = Field(default=4, ge=1)
    """Tasks asked for in each reply; small models do best with 1."""
    examples: Literal["seeds", "pool"] = "seeds"
    """What a call shows: seeds alone, or one of the tasks already made among them."""
    max_similarity: float = Field(default=0.7, gt=0, le=1)
    """A new task goes if its ROUGE-L with any seed or any task made so far is over this."""
    rules: RuleSet = "ours"
    """Which texts are tasks: by our rules, or by the published ones, which compare words of a-z and 0-9 alone."""
    max_tokens: int = Field(default=1024, ge=1)
    """Most tokens a reply may have; a task that is cut off there is not used, those before it are."""
    temperature: float = Field(default=1.0, ge=0)
    """0 takes the likeliest token each time."""
    layout: Layout = "plain"
    """plain: the instruction, an empty line, the input. varied: one of several layouts, by dice."""
    prompts: File | None = None
    """A YAML file with prompts of your own in the place of ours."""

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)

    def calls(self, records: int) -> int:
        return max(1, 2 * self.target // self.per_reply)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        seeds = seed_tasks(records, self.kind)
        language = language_of(" ".join(str(seed.meta["instruction"]) for seed in seeds))
        gate = Gate(self.max_similarity)
        if self.rules == "published":
            gate = Gate(self.max_similarity, ALPACA_RULES, ascii_tokens)
        pool = Pool(seeds, dice.stage, gate, answered=True)
        caller = Caller(self, pool, engine, dice, load_prompts(self.prompts, PROMPTS)[language])
        async for item in grow(pool, caller.issue, self.target, self.per_reply):
            yield item


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks for tasks and reads them into the pool."""

    options: OneCall
    pool: Pool
    engine: Engine
    dice: Dice
    prompts: Prompts

    def issue(self, call: int) -> Reply:
        made = 1 if self.options.examples == "pool" else 0
        shown = self.pool.examples(self.dice.random("one_call", call), EXAMPLES, made)
        size = self.options.per_reply
        turns: list[Message] = []
        for at in range(0, len(shown), size):
            few = shown[at : at + size]
            turns += [self._ask(len(few)), Message("assistant", self._written(few))]
        request = Request(
            messages=(*turns, self._ask(size)),
            opening="" if self.engine.structured else self.prompts.instruction,
            max_tokens=self.options.max_tokens,
            temperature=self.options.temperature,
            top_p=TOP_P,
            seed=self.dice.number("one_call", call),
            schema=SCHEMA if self.engine.structured else "",
        )
        return self._asked(request, shown, call)

    def _ask(self, count: int) -> Message:
        text = self.prompts.ask_json if self.engine.structured else self.prompts.ask
        return Message("user", filled(text, count=count))

    def _written(self, tasks: Sequence[Record]) -> str:
        """Tasks as a reply would hold them."""
        texts = [(" ".join(str(t.meta["instruction"]).split()), str(t.meta["input"]), t.answers[0].text) for t in tasks]
        if self.engine.structured:
            return json.dumps({TASKS: [dict(zip(NAMES, task, strict=True)) for task in texts]}, ensure_ascii=False)
        p = self.prompts
        return "\n\n".join(
            f"{p.instruction} {instruction}\n{p.input} {given or p.no_input}\n{p.output} {output}"
            for instruction, given, output in texts
        )

    async def _asked(self, request: Request, shown: list[Record], call: int) -> Candidates:
        read = partial(read_items, labels=self.prompts.labels, opening=request.opening)
        return partial(self._read, await read_reply(self.engine, request, read), shown, call)

    def _read(self, items: list[Item] | Lost, shown: list[Record], call: int) -> Iterator[Record | Rejected]:
        meta: dict[str, Fact] = {"operator": self.options.kind, "round": call // WINDOW}
        if isinstance(items, Lost):
            yield items.rejected(self.dice.stage, shown, self.pool.source, meta)
            return
        for number, item in enumerate(items):
            yield self._judged(item, self._candidate(item, shown, meta, (call, number)))

    def _judged(self, item: Item, candidate: Record) -> Record | Rejected:
        reason = item.reason or instance_complaint(item.instruction, item.given, item.output) or repetition(item.output)
        if reason is not None:
            return Rejected(candidate, self.dice.stage, reason, "reply")
        return self.pool.judged(candidate)

    def _candidate(self, item: Item, shown: list[Record], meta: Mapping[str, Fact], place: tuple[int, int]) -> Record:
        rng = self.dice.random("layout", *place)
        return Record.born(
            laid_out(item.instruction, item.given, self.options.layout, rng),
            answers=[Answer(item.output, by=self.engine.name)] if item.output else [],
            source=self.pool.source,
            parents=[example.id for example in shown],
            meta={**meta, "instruction": item.instruction, "input": item.given},
        )
