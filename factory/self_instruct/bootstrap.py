"""Stage 1 of Self-Instruct: a growing list of tasks, continued by the model from examples out of the pool.

Each call shows 8 tasks, 6 of people's and 2 of those already made (8 and 0 while nothing is made), and takes what the
model adds (arXiv:2212.10560, section 2.2). Where the engine holds replies to a schema the examples stand in the prompt
and the list comes as JSON; elsewhere the model goes on with the list that the examples begin.
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Fact, Message, Record, Rejected
from tuneworks.factory.self_instruct.asking import Lost, read_reply
from tuneworks.factory.self_instruct.growth import WINDOW, Candidates, Reply, grow
from tuneworks.factory.self_instruct.listing import TASKS, Listed, read_json_list, read_list, tidy
from tuneworks.factory.self_instruct.pool import Pool
from tuneworks.factory.self_instruct.prompts import Prompting, Prompts
from tuneworks.factory.self_instruct.text_rules import RuleSet

EXAMPLES = 8
MADE_EXAMPLES = 2
NEW_PER_CALL = 8
TOKENS = 256
PUBLISHED_NEW_PER_CALL = 7  # up to number 15
PUBLISHED_TOKENS = 1024

TEMPERATURE, TOP_P, PRESENCE_PENALTY = 0.7, 0.5, 2.0
"""As the released code asks a model to go on with a list."""

JSON_TEMPERATURE, JSON_TOP_P = 1.0, 0.95
"""For a list as JSON: a penalty on what was said would be one on the quotes and commas too."""

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {TASKS: {"type": "array", "items": {"type": "string", "minLength": 1}}},
        "required": [TASKS],
        "additionalProperties": False,
    }
)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Asks for tasks and reads them into the pool."""

    pool: Pool
    engine: Engine
    dice: Dice
    prompts: Prompts
    rules: RuleSet = "ours"
    prompting: Prompting = "chat"

    def tasks(self, target: int) -> AsyncIterator[Record | Rejected]:
        """Every candidate, kept and rejected, until `target` are kept or the model has nothing new to say."""
        return grow(self.pool, self._issue, target, self._new_per_call)

    @property
    def _new_per_call(self) -> int:
        return NEW_PER_CALL if self.prompting == "chat" else PUBLISHED_NEW_PER_CALL

    def _issue(self, call: int) -> Reply:
        shown = self.pool.examples(self.dice.random("bootstrap", call), EXAMPLES, MADE_EXAMPLES)
        lines = [f"{n}. {tidy(str(example.meta['instruction']))}" for n, example in enumerate(shown, 1)]
        as_json = self.engine.structured and self.prompting == "chat"
        request = self._json_list(lines) if as_json else self._continued(lines)
        return self._asked(replace(request, seed=self.dice.number("bootstrap", call)), shown, call)

    def _json_list(self, lines: list[str]) -> Request:
        ask = filled(self.prompts.more_tasks, examples="\n".join(lines), count=NEW_PER_CALL)
        return Request(
            messages=(Message("user", ask),),
            max_tokens=2 * TOKENS,  # quotes and braces take some
            temperature=JSON_TEMPERATURE,
            top_p=JSON_TOP_P,
            schema=SCHEMA,
        )

    def _continued(self, lines: list[str]) -> Request:
        last = len(lines) + self._new_per_call
        numbers = (
            (f"\n{last + 1}.",) if self.prompting == "chat" else (f"\n{last + 1}", f"{last + 1}.", f"{last + 1} .")
        )
        return Request(
            messages=(Message("user", filled(self.prompts.list_tasks, count=last)),),
            opening="\n".join([*lines, f"{len(lines) + 1}."]),
            max_tokens=TOKENS if self.prompting == "chat" else PUBLISHED_TOKENS,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            presence_penalty=PRESENCE_PENALTY,
            stop=("\n\n", *numbers),
        )

    async def _asked(self, request: Request, shown: list[Record], call: int) -> Candidates:
        read = read_json_list if request.schema else partial(read_list, rules=self.rules)
        return partial(self._read, await read_reply(self.engine, request, read), shown, call)

    def _read(self, listed: Listed | Lost, shown: list[Record], call: int) -> Iterator[Record | Rejected]:
        if isinstance(listed, Lost):
            meta: dict[str, Fact] = {"operator": "self_instruct", "round": call // WINDOW}
            yield listed.rejected(self.dice.stage, shown, self.pool.source, meta)
            return
        for task in listed.tasks:
            yield self.pool.judged(self._candidate(task, shown, call))
        for text, reason in listed.broken:
            yield Rejected(self._candidate(text, shown, call), self.dice.stage, reason, "reply")

    def _candidate(self, task: str, shown: list[Record], call: int) -> Record:
        return Record.born(
            task,
            source=self.pool.source,
            parents=[example.id for example in shown],
            meta={"instruction": task, "input": "", "operator": "self_instruct", "round": call // WINDOW},
        )
