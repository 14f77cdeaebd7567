"""Which of two answers is the better one: by a reward's scores, or by a model that is asked in both orders."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import Record
from tuneworks.factory.reward import Reward
from tuneworks.factory.rlaif.comparing import Comparer
from tuneworks.factory.rlaif.prompts import PROMPTS, conversation
from tuneworks.pipelines.evaluating.differences import Line, differing
from tuneworks.pipelines.evaluating.held_out import HeldRow
from tuneworks.trainers.computed_rewards import known_rewards

PRINCIPLE: Mapping[Language, str] = {
    "en": "Which answer does better what was asked?",
    "zh": "哪个回答更好地完成了要求？",
}

TIE = 1e-9
"""Rewards nearer to each other than that differ by rounding alone."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt with the answers of the model and of its base."""

    row: HeldRow
    model: Completion
    base: Completion

    @property
    def record(self) -> Record:
        return Record.born(self.row.prompt)


async def rewarded(pairs: Sequence[Pair], reward: Reward, engine: Engine) -> list[tuple[float, float] | None]:
    """What the reward gives the two answers; None where it cannot tell of one of them."""
    both = [await known_rewards(pair.record, [pair.model.text, pair.base.text], reward, engine) for pair in pairs]
    return [None if model is None or base is None else (model, base) for model, base in both]


async def judged(pairs: Sequence[Pair], engine: Engine) -> list[float | None]:
    """1 where the model's answer wins in both orders, 0 where it loses in both, 0.5 where the orders disagree: then the
    judge went by the place (arXiv:2306.05685). None where it could not tell."""
    comparers = {
        language: Comparer(engine, prompts, Dice(0, "evaluate"), False, (0.0, 1.0))
        for language, prompts in PROMPTS.items()
    }
    return list(await asyncio.gather(*(_judged(pair, comparers) for pair in pairs)))


async def _judged(pair: Pair, comparers: Mapping[Language, Comparer]) -> float | None:
    record = pair.record
    language = language_of(record.prompt_text)
    first, second = pair.model.text, pair.base.text
    if first == second:
        return 0.5
    asked = conversation(record, language)
    try:
        found = await comparers[language].compare(asked, first, second, [PRINCIPLE[language]], pair.row.id)
    except EngineUnavailable:
        raise
    except EngineError:
        return None
    if found.preferred - found.bias / 2 > 0.5:  # the order in which it did worse
        return 1.0
    return 0.0 if found.preferred + found.bias / 2 < 0.5 else 0.5


def by_reward(rewards: Sequence[tuple[float, float]]) -> list[float]:
    return [0.5 if abs(model - base) <= TIE else float(model > base) for model, base in rewards]


def win_line(wins: Sequence[float], judge: str) -> Line:
    """Shares of wins and losses; ties are what is missing to 1."""
    won, lost = (sum(win == side for win in wins) / len(wins) for side in (1.0, 0.0))
    apart = differing([2 * win - 1 for win in wins])
    return Line("wins", f"preferred by {judge}", "share", won, lost, apart, len(wins), "higher")
