"""Stage 1 of Self-Instruct: a growing list of tasks, continued by the model from examples out of the pool.

Each call shows 8 tasks, 6 of people's and 2 of those already made (8 and 0 while nothing is made), and takes what the
model adds. A candidate joins the pool only if it passes the text rules and is new against every seed and every task
made so far (ROUGE-L, arXiv:2212.10560 section 2.2).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Message, Record, Rejected
from tuneworks.factory.rouge import RougeIndex, unicode_tokens
from tuneworks.factory.self_instruct.prompts import Prompts
from tuneworks.factory.wording import asks_nothing, needs_attachment

EXAMPLES = 8
MADE_EXAMPLES = 2
NEW_PER_CALL = 8
CALLS_A_ROUND = 32
BARREN_ROUNDS = 3
"""Rounds in a row that add nothing before the search ends."""

TEMPERATURE, TOP_P, PRESENCE_PENALTY = 0.7, 0.5, 2.0  # as the authors' released code asks
TOKENS = 256
FEWEST_WORDS, MOST_WORDS = 4, 150

_NUMBERED = re.compile(r"(?:^|\n)\s*\d{1,2}\s*[.．、)）:：]\s*")


async def bootstrap(
    seeds: Sequence[Record], engine: Engine, dice: Dice, prompts: Prompts, target: int, most_similar: float
) -> AsyncIterator[Record | Rejected]:
    """Yield every candidate, kept and rejected, until `target` are kept or the model has nothing new to say.

    A round's calls go out together and are read in their order; the next round's examples know what this one made.
    """
    pool = Pool(seeds, prompts, most_similar, dice.stage)
    round_, barren = 0, 0
    while len(pool.made) < target and barren < BARREN_ROUNDS:
        before = len(pool.made)
        asked = [pool.ask(dice, round_, call) for call in range(pool.calls_for(target - before))]
        replies = await asyncio.gather(*(_reply(engine, request) for request, _ in asked))
        for (request, shown), reply in zip(asked, replies, strict=True):
            for candidate in pool.read(request, reply, round_, shown):
                yield candidate
                if len(pool.made) >= target:
                    return
        barren = barren + 1 if len(pool.made) == before else 0
        round_ += 1


async def _reply(engine: Engine, request: Request) -> Completion | EngineError:
    try:
        return await engine.complete(request)
    except EngineUnavailable:
        raise
    except EngineError as error:
        return error


class Pool:
    """The seeds and what was made, with the novelty gate in front."""

    def __init__(self, seeds: Sequence[Record], prompts: Prompts, most_similar: float, stage: str) -> None:
        self.made: list[Record] = []
        self._tried = 0
        self._seeds = list(seeds)
        self._prompts = prompts
        self._most_similar = most_similar
        self._stage = stage
        self._index = RougeIndex()
        for seed in seeds:
            self._index.add(str(seed.meta["instruction"]))

    def calls_for(self, missing: int) -> int:
        """Calls that should make `missing` tasks at the share kept so far; a third is the guess before any is known."""
        share = (len(self.made) + 4) / (self._tried + 12)
        return max(1, min(CALLS_A_ROUND, round(missing / (share * NEW_PER_CALL) + 0.5)))

    def ask(self, dice: Dice, round_: int, call: int) -> tuple[Request, list[Record]]:
        """The request for one call, and the examples it shows."""
        rng = dice.random("bootstrap", round_, call)
        shown = rng.sample(self.made, min(MADE_EXAMPLES, len(self.made)))
        shown += rng.sample(self._seeds, min(EXAMPLES - len(shown), len(self._seeds)))
        rng.shuffle(shown)
        lines = [f"{n}. {example.meta['instruction']}" for n, example in enumerate(shown, 1)]
        last = len(shown) + NEW_PER_CALL
        request = Request(
            messages=(Message("user", self._prompts.list_tasks.format(count=last)),),
            opening="\n".join([*lines, f"{len(shown) + 1}."]),
            max_tokens=TOKENS,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            presence_penalty=PRESENCE_PENALTY,
            stop=("\n\n", f"\n{last + 1}."),
            seed=dice.number("bootstrap", round_, call),
        )
        return request, shown

    def read(
        self, request: Request, reply: Completion | EngineError, round_: int, shown: list[Record]
    ) -> Iterator[Record | Rejected]:
        """The reply's candidates one by one, so that none is kept that nobody takes."""
        if isinstance(reply, EngineError):
            asked = Record.born(request.messages, source=shown[0].source, meta={"round": round_})
            yield Rejected(asked, self._stage, str(reply), "reply")
            return
        tasks = split_tasks(reply.text)
        self._tried += len(tasks)
        candidates = [self._candidate(task, round_, shown) for task in tasks]
        whole = len(tasks) - (reply.finish == "length")
        for at, c in enumerate(candidates):
            cut = Rejected(c, self._stage, "cut off by the token limit", "reply")
            yield self._judged(c) if at < whole else cut

    def _candidate(self, task: str, round_: int, shown: list[Record]) -> Record:
        return Record.born(
            task,
            source=shown[0].source,
            parents=[example.id for example in shown],
            meta={"instruction": task, "input": "", "operator": "self_instruct", "round": round_},
        )

    def _judged(self, candidate: Record) -> Record | Rejected:
        task = candidate.prompt_text
        reason = text_rule(task) or self._too_similar(task)
        if reason is not None:
            return Rejected(candidate, self._stage, reason, "reply")
        self._index.add(task)
        self.made.append(candidate)
        return candidate

    def _too_similar(self, task: str) -> str | None:
        nearest = self._index.nearest(task)
        if nearest is None or nearest.score <= self._most_similar:
            return None
        return f'ROUGE-L {nearest.score:.3f} with "{nearest.text}", over {self._most_similar:g}'


def split_tasks(text: str) -> list[str]:
    """The items of a numbered list whose first number was ours; white space collapsed, a trailing colon taken off."""
    items = (" ".join(item.split()).rstrip(":：").strip() for item in _NUMBERED.split(text))
    return [item for item in items if item]


def text_rule(task: str) -> str | None:
    """Why a candidate cannot be a task, by its text alone: the published rules, and that it must ask for something."""
    words = len(unicode_tokens(task))
    if words < FEWEST_WORDS:
        return f"{words} words, fewer than {FEWEST_WORDS}"
    if words > MOST_WORDS:
        return f"{words} words, more than {MOST_WORDS}"
    if not (task[0].isalnum() or task[0] in "\"'“‘「《"):
        return f"begins with {task[0]!r}"
    if task.lower().startswith("write a program"):
        return 'begins with "Write a program"'
    return needs_attachment(task) or asks_nothing(task)
