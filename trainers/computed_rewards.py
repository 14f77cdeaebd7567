"""What rewards say of answers; for trainings by themselves, for no model could be asked there. No torch."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.unasked import Unasked
from tuneworks.factory.errors import EngineError, EngineUnavailable, RecipeError
from tuneworks.factory.judge import Judge
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import REWARD, Answer, Record
from tuneworks.factory.reward import Reward
from tuneworks.trainers.rows import messages

Turns = Sequence[Mapping[str, str]]


def refuse_judges(reward: Reward, kind: str) -> None:
    """Check the reward, and raise RecipeError where one of its parts asks a model."""
    if judges(reward):
        raise RecipeError(
            f"{kind}: a judge asks a model, and a training has none to ask; take classifier, function ..."
        )
    reward.check()


def judges(reward: Reward) -> list[Judge]:
    """The parts that ask a model."""
    return [part for part in _all_parts(reward) if isinstance(part, Judge)]


def rewards_of(
    prompt: Turns, answers: Sequence[str], reward: Reward, reference: str | None = None
) -> list[float | None]:
    """What the reward gives answers to one prompt; None where it cannot tell, or gives no number. A `reference` answer
    is in the record, for a function that takes one."""
    known = [Answer(reference, "reference")] if reference is not None else []
    record = Record.born(messages(prompt), answers=known)
    return asyncio.run(known_rewards(record, answers, reward, Unasked()))


async def known_rewards(record: Record, answers: Sequence[str], reward: Reward, engine: Engine) -> list[float | None]:
    """What the reward gives each answer; None where it cannot tell, or gives no number."""
    try:
        found = await reward.scores(record, [Answer(text) for text in answers], engine)
    except EngineUnavailable:
        raise
    except EngineError:
        return [None] * len(answers)
    rewards = [None if isinstance(scores, EngineError) else scores.get(REWARD) for scores in found]
    return [one if one is not None and math.isfinite(one) else None for one in rewards]


def _all_parts(reward: Plugin) -> Iterator[Plugin]:
    yield reward
    for part in reward.parts():
        yield from _all_parts(part)
