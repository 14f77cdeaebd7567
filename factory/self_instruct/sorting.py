"""A two-way question about a task, such as whether it is classification, put to a model with examples.

The model's log-odds are compared with the cut that sorts the seeds best, for of the seeds the right answer is known:
small models lean to one answer whatever the task is (arXiv:2102.09690).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Message, Record

EXAMPLES = 14
CALIBRATION_SEEDS = 64
UNSEEN = -20.0
"""Log-probability of a candidate that a server left out of its list."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How the question is put: what comes first, the words before a task and before its answer, the two answers."""

    ask: str
    task: str
    answer: str
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Question:
    """`truth` says the right answer of a seed."""

    wording: Wording
    truth: Callable[[Record], bool]
    seeds: Sequence[Record]
    dice: Dice
    balanced: bool = False
    """Whether both kinds of mistake weigh the same, or every mistake does."""
    cut: float = 0.0

    async def calibrated(self, engine: Engine) -> "Question":
        """With the cut that sorts best the seeds that are not shown as examples."""
        shown = {s.id for s in self._examples()}
        known = [s for s in self.seeds if s.id not in shown]
        known = self.dice.random("known", self.wording.answer).sample(known, min(CALIBRATION_SEEDS, len(known)))
        asked = await asyncio.gather(*(self._known_odds(s, engine) for s in known))
        pairs = [(odds, self.truth(s)) for odds, s in zip(asked, known, strict=True) if odds is not None]
        return replace(self, cut=best_cut([o for o, _ in pairs], [t for _, t in pairs], self.balanced))

    async def _known_odds(self, seed: Record, engine: Engine) -> float | None:
        """A seed that cannot be asked about tells nothing; the others still do."""
        try:
            return await self.odds(str(seed.meta["instruction"]), engine)
        except EngineUnavailable:
            raise
        except EngineError:
            return None

    async def answer(self, instruction: str, engine: Engine) -> bool:
        return await self.odds(instruction, engine) > self.cut

    async def odds(self, instruction: str, engine: Engine) -> float:
        """Log-odds of yes against no. The examples are the same for every task, so an engine reads them once."""
        w = self.wording
        lines = [
            f"{w.task} {s.meta['instruction']}\n{w.answer}{w.yes if self.truth(s) else w.no}" for s in self._examples()
        ]
        opening = "\n\n".join([*lines, f"{w.task} {instruction}\n{w.answer}"])
        reply = await engine.complete(Request((Message("user", w.ask),), opening=opening, candidates=(w.yes, w.no)))
        return reply.log_probs.get(w.yes, UNSEEN) - reply.log_probs.get(w.no, UNSEEN)

    def _examples(self) -> list[Record]:
        rng = self.dice.random("examples", self.wording.answer)
        yes = [s for s in self.seeds if self.truth(s)]
        no = [s for s in self.seeds if not self.truth(s)]
        shown = rng.sample(yes, min(EXAMPLES // 2, (len(yes) + 1) // 2))
        shown += rng.sample(no, min(EXAMPLES // 2, (len(no) + 1) // 2))
        rng.shuffle(shown)
        return shown


def best_cut(odds: list[float], truths: list[bool], balanced: bool) -> float:
    """The cut that gets the most right, half-way between two odds; 0 where it is as good as any.

    Balanced, the right ones of each kind count by their share of the kind.
    """
    yes, no = truths.count(True), truths.count(False)
    if not yes or not no:
        return 0.0
    ordered = sorted(set(odds))
    between = [(low + high) / 2 for low, high in pairwise(ordered)]

    def right(cut: float) -> int:
        hits = [truth for o, truth in zip(odds, truths, strict=True) if (o > cut) == truth]
        found, left = hits.count(True), hits.count(False)
        return found * no + left * yes if balanced else found + left

    return max([0.0, *between], key=right)
