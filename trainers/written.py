"""Answers that a model writes to prompts, with their rewards: asked of the engine in this process, and journaled."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.journal import Journal
from tuneworks.factory.weights import Say
from tuneworks.trainers.computed_rewards import rewards_of
from tuneworks.trainers.journaled_model import journaled_model
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.rows import messages

JOURNAL = "journal.sqlite"

EVERY = 20.0
"""Seconds between two lines about answers under way."""


@dataclass(frozen=True, slots=True)
class Written:
    """One answer of one round."""

    id: str
    """The prompt's record."""
    round: int
    sample: int
    text: str
    reward: float | None
    why_not: str | None
    """Why it cannot be trained on, whatever its reward."""

    def row(self, kept: bool) -> dict[str, Any]:
        behind = None if kept else self.why_not or "other answers to the prompt have a higher reward"
        return {**asdict(self), "kept": kept, "why_not": behind}


class Writing:
    """What a model says is asked once: a training that goes on takes it out of the journal, in `into`."""

    def __init__(self, trainer: RejectionSampling, into: Path, seed: int, say: Say) -> None:
        self._trainer, self._say = trainer, say
        self._dice = Dice(seed, trainer.kind)
        self._journal = Journal(into / JOURNAL, trainer.kind)

    def close(self) -> None:
        self._journal.close()

    def answers(self, model: str, rows: Sequence[Mapping[str, Any]], number: int) -> list[Written]:
        """n answers to each prompt, prompt after prompt, each with its reward or why it has none."""
        places = [(row, sample) for row in rows for sample in range(self._trainer.n)]
        requests = [
            Request(
                messages(row["prompt"]),
                max_tokens=self._trainer.max_tokens,
                temperature=self._trainer.temperature,
                seed=self._dice.number(row["id"], number, sample),
            )
            for row, sample in places
        ]
        replies = self._asked(model, requests, f"round {number}")
        of = iter(replies)
        return [one for row in rows for one in self._scored(row, [next(of) for _ in range(self._trainer.n)], number)]

    def best_guesses(self, model: str, rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
        """The reward of the most likely answer to each held-out prompt."""
        asked = [Request(messages(row["prompt"]), max_tokens=self._trainer.max_tokens, temperature=0) for row in rows]
        replies = self._asked(model, asked, "held-out prompts") if rows else []
        return [
            None if isinstance(reply, EngineError) else self._rewards(row, [reply.text.strip()])[0]
            for row, reply in zip(rows, replies, strict=True)
        ]

    def _scored(
        self, row: Mapping[str, Any], replies: Sequence[Completion | EngineError], number: int
    ) -> list[Written]:
        texts = ["" if isinstance(reply, EngineError) else reply.text.strip() for reply in replies]
        rewards = iter(self._rewards(row, [text for text in texts if text]))
        found = []
        for sample, (reply, text) in enumerate(zip(replies, texts, strict=True)):
            reward = next(rewards) if text else None
            found.append(Written(row["id"], number, sample, text, reward, self._why_not(reply, text, reward)))
        return found

    def _why_not(self, reply: Completion | EngineError, text: str, reward: float | None) -> str | None:
        if isinstance(reply, EngineError):
            return str(reply)
        if not text:
            return "it has no text"
        if reply.finish != "stop":
            return f"it is cut off at {self._trainer.max_tokens} tokens"
        return "the reward cannot tell" if reward is None else None

    def _rewards(self, row: Mapping[str, Any], texts: Sequence[str]) -> list[float | None]:
        return rewards_of(row["prompt"], texts, self._trainer.reward, row.get("reference"))

    def _asked(self, model: str, requests: Sequence[Request], what: str) -> list[Completion | EngineError]:
        return asyncio.run(self._complete(model, requests, Counting(self._say, what, len(requests))))

    async def _complete(
        self, model: str, requests: Sequence[Request], seen: Callable[[], None]
    ) -> list[Completion | EngineError]:
        engine = journaled_model(model, self._journal, seen)
        try:
            found = await asyncio.gather(*(engine.complete(one) for one in requests), return_exceptions=True)
        finally:
            await engine.close()
        return [_known(one) for one in found]


class Counting:
    """Says now and then how many answers are there."""

    def __init__(self, say: Say, what: str, total: int) -> None:
        self._say, self._what, self._total = say, what, total
        self._seen, self._said = 0, time.monotonic()

    def __call__(self) -> None:
        self._seen += 1
        if time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            self._say(f"{self._what}: {self._seen} of {self._total} answers")


def _known(found: Completion | BaseException) -> Completion | EngineError:
    if isinstance(found, EngineUnavailable) or not isinstance(found, Completion | EngineError):
        raise found
    return found
