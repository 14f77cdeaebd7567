"""How a reward that computes in this process is asked: one record's answers one after another, off the event loop."""

import math
from collections.abc import Callable, Sequence

from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable, TuneworksError
from tuneworks.factory.record import REWARD, Answer, Record
from tuneworks.factory.reward import Reward, Scores
from tuneworks.factory.rewards.turns import in_turn

Compute = Callable[[Record, Answer], float]


async def score_each(who: str, compute: Compute, record: Record, answers: Sequence[Answer]) -> list[Scores]:
    """For each answer its score, or why it has none. `compute` runs in the thread of rewards."""
    return await in_turn(lambda: [_scores(who, compute, record, answer) for answer in answers])


async def alone(reward: Reward, record: Record, answer: Answer, engine: Engine) -> float:
    """The score of one answer, for a reward whose work is in `scores`."""
    (found,) = await reward.scores(record, [answer], engine)
    if isinstance(found, EngineError):
        raise found
    return found[REWARD]


def _scores(who: str, compute: Compute, record: Record, answer: Answer) -> Scores:
    try:
        score = compute(record, answer)
    except EngineUnavailable:
        raise
    except EngineError as error:
        return error
    except TuneworksError:
        raise
    except Exception as error:  # a model may do anything with a text
        return EngineError(f"{who} failed on this answer: {first_line(error)}")
    return {REWARD: score} if math.isfinite(score) else EngineError(f"{who} gave {score}, which is no score")


def first_line(error: BaseException) -> str:
    """What went wrong, by its name and its own first words."""
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
