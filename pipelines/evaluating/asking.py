"""Asking a model all that an evaluation needs of it: how likely answers are, and what it answers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, TypeVar

from tuneworks.factory.constraints import Asked
from tuneworks.factory.engine import Completion, Engine, Loss, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.journal import Journal
from tuneworks.factory.language import language_of
from tuneworks.factory.record import Message
from tuneworks.pipelines.evaluating.contestants import Contestant
from tuneworks.pipelines.evaluating.held_out import Graded, HeldRow
from tuneworks.trainers.journaled_model import journaled_model
from tuneworks.trainers.rows import controlled

NEW_TOKENS = 256
"""Most tokens of an answer; one that goes on then has not stopped by itself."""

Seen = Callable[[], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """What one model gave; None where it could not, as with a prompt that is longer than it reads."""

    losses: Mapping[str, Loss | None]
    """Of the held-out answers, by record."""
    answers: Mapping[str, Completion | None]
    """To the held-out prompts, by record."""
    constrained: Sequence[Completion | None]
    graded: Mapping[str, Mapping[tuple[str, str], float | None]]
    """By record: nats a token of answers of a quality, by that quality and the one asked for."""


@dataclass(frozen=True, slots=True)
class Questions:
    rows: Sequence[HeldRow]
    prompts: Sequence[HeldRow]
    """Those of the rows whose prompts are answered."""
    constrained: Sequence[Asked]
    graded: Sequence[Graded]

    def calls(self, contestant: Contestant) -> int:
        steered = sum(len(texts) for one in self.graded for texts in one.answers.values()) * len(contestant.controls)
        return len(self.rows) + len(self.prompts) + len(self.constrained) + steered


async def asked(contestant: Contestant, questions: Questions, journal: Journal, seen: Seen) -> Told:
    """What is in the journal is not asked again. One model is in memory at a time."""
    engine = journaled_model(contestant.place, journal, seen)
    try:
        losses = await _each(_loss(engine, _best_asked(contestant, row.prompt), row.answer) for row in questions.rows)
        answers = await _each(_answer(engine, _best_asked(contestant, row.prompt)) for row in questions.prompts)
        constrained = await _each(
            _answer(engine, _best_asked(contestant, (Message("user", one.prompt),))) for one in questions.constrained
        )
        steered = await _each(_steered(engine, contestant, one) for one in questions.graded)
    finally:
        await engine.close()
    return Told(
        {row.id: loss for row, loss in zip(questions.rows, losses, strict=True)},
        {row.id: answer for row, answer in zip(questions.prompts, answers, strict=True)},
        constrained,
        {one.id: found or {} for one, found in zip(questions.graded, steered, strict=True)},
    )


async def _each(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T | None]:
    """The results in order; None where the model could not be asked this one."""
    return list(await asyncio.gather(*(_or_none(job) for job in jobs)))


async def _or_none(job: Coroutine[Any, Any, T]) -> T | None:
    try:
        return await job
    except EngineUnavailable:
        raise
    except EngineError:
        return None


def _best_asked(contestant: Contestant, prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    """The prompt; of a model that learned to be asked for a quality, with the best asked for."""
    return _asking(contestant, prompt, contestant.best) if contestant.controls else prompt


def _asking(contestant: Contestant, prompt: tuple[Message, ...], quality: str) -> tuple[Message, ...]:
    texts = contestant.controls[quality]
    language = language_of(next((m.content for m in reversed(prompt) if m.role == "user"), ""))
    return controlled(prompt, texts.get(language) or next(iter(texts.values())))


async def _loss(engine: Engine, prompt: tuple[Message, ...], answer: str) -> Loss | None:
    return (await engine.complete(Request(prompt, given=answer))).loss


async def _answer(engine: Engine, prompt: tuple[Message, ...]) -> Completion:
    reply = await engine.complete(Request(prompt, max_tokens=NEW_TOKENS, temperature=0))
    return replace(reply, text=reply.text.strip())


async def _steered(engine: Engine, contestant: Contestant, one: Graded) -> dict[tuple[str, str], float | None]:
    """The mean over the answers of a quality of their nats a token, under each control."""
    cells = [(quality, control) for quality in one.answers for control in contestant.controls]
    means = await asyncio.gather(
        *(_mean(engine, _asking(contestant, one.prompt, control), one.answers[quality]) for quality, control in cells)
    )
    return dict(zip(cells, means, strict=True))


async def _mean(engine: Engine, prompt: tuple[Message, ...], answers: Sequence[str]) -> float | None:
    losses = await _each(_loss(engine, prompt, answer) for answer in answers)
    known = [loss.nats / loss.tokens for loss in losses if loss is not None]
    return fmean(known) if len(known) == len(answers) else None
