"""Best-of-N and rejection sampling: sample several answers, score each, keep the best, pick a pair for preference.

Answers the record already has compete too, so what an earlier run or another model said is not lost (Llama 2,
arXiv:2307.09288, forgot what it could do when a round saw only its own samples). What cannot be used (empty, cut off,
looping) goes before it is scored, and so does a repeat of another answer: a pair of equals teaches nothing.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from tuneworks.factory.answer import Answering
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.flight import in_order
from tuneworks.factory.judge import Judge
from tuneworks.factory.pair_rules import PairRule, PairRules, folded, paired
from tuneworks.factory.record import REWARD, Answer, Record, Rejected
from tuneworks.factory.reward import Reward, Scores

ROUND, SAMPLE = "round", "sample"
"""Scores that say in which round an answer was sampled, and as which sample of it, both from 1."""

GAIN = "reward_gain"
"""The fact that holds the best reward minus the median one: what choosing gains over taking any answer."""


class BestOfN(Answering):
    """Sample N answers to each prompt, score every answer with a reward, and pick a pair for preference."""

    kind: ClassVar[str] = "best_of_n"
    # As RLHF Workflow (arXiv:2405.07863) asks its model.
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {"n": 8, "temperature": 1.0, "top_p": 1.0, "max_tokens": 2048, "pair": "best_worst"}
    }

    n: int = Field(default=4, ge=0)
    """Answers sampled for each prompt in a round; with 0 the answers that records bring along compete alone."""
    rounds: int = Field(default=1, ge=1)
    """How often n answers are sampled; the answers of all rounds, and those the record came with, compete."""
    keep: int | None = Field(default=None, ge=1)
    """How many answers stay, the highest rewards of all rounds; all of them where nothing is written."""
    reward: Reward = Judge()
    """What scores an answer: the name of a reward, or {name: {option: value}}."""
    pair: PairRule = "best_worst"
    """Which of the answers that stay is rejected for the best: the worst, a random lower one, or the next lower one."""
    length_penalty: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Taken off the reward for each character of an answer when the pair is picked; kept rewards are without it."""
    min_margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """A pair whose rewards differ by less is none."""
    temperature: float = Field(default=1.0, ge=0)
    """How far apart the samples are; 0 would make them all alike."""

    def calls(self, records: int) -> int:
        return records * max(2 * self.n * self.rounds, 1)

    @field_validator("reward", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> Reward:
        return Reward.nested(value, info)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        async for items in in_order((partial(self._ranked, r, engine, dice) for r in records), engine.room):
            for item in items:
                yield item

    async def _ranked(self, record: Record, engine: Engine, dice: Dice) -> list[Record | Rejected]:
        """The record with its best answers scored and its pair marked, and every answer that was set aside."""
        before = rounds_before(record)
        rounds = range(before + 1, before + 1 + self.rounds)
        # One model answers in every round, so none has to wait for the one before it.
        samples = await asyncio.gather(
            *(self._sample(record, engine, dice, r, i) for r in rounds for i in range(self.n))
        )
        answers, aside = different(record, samples, dice.stage)
        scored, unscored = await self._scored(record, answers, engine, dice.stage)
        aside += unscored
        if not scored:
            tried = len(record.answers) + len(samples)
            return [*aside, Rejected(record, dice.stage, f"none of {tried} answers can be used")]
        kept, fallen = highest(record, scored, self.keep, dice.stage)
        whole = record.with_answers(kept).with_meta(**{GAIN: gain(scored)})
        rules = PairRules(self.pair, self.length_penalty, self.min_margin)
        return [*aside, *fallen, *paired(whole, rules, dice)]

    async def _sample(self, record: Record, engine: Engine, dice: Dice, round_: int, index: int) -> Answer | Rejected:
        """A sample's place is its round and its index: more samples or more rounds leave the others as they are."""
        place = (index,) if round_ == 1 else (round_, index)
        sample = await self.sample(record, engine, dice, *place)
        if isinstance(sample, Rejected):
            return sample
        return replace(sample, scores={ROUND: float(round_), SAMPLE: index + 1.0})

    async def _scored(
        self, record: Record, answers: Sequence[Answer], engine: Engine, stage: str
    ) -> tuple[list[Answer], list[Rejected]]:
        """The answers that have a finite reward, with it; the rest with the reason."""
        try:
            found = await self.reward.scores(record, answers, engine) if answers else []
        except EngineUnavailable:
            raise
        except EngineError as error:
            found = [error] * len(answers)
        scored: list[Answer] = []
        aside: list[Rejected] = []
        for answer, scores in zip(answers, found, strict=True):
            item = with_scores(answer, scores)
            if isinstance(item, Answer):
                scored.append(item)
            else:
                aside.append(Rejected(record.with_answers([answer]), stage, item, "answer"))
        return scored, aside


def with_scores(answer: Answer, scores: Scores) -> Answer | str:
    """The answer with the scores on it; or why it cannot be ranked by them."""
    if isinstance(scores, EngineError):
        return str(scores)
    reward = scores.get(REWARD, math.nan)
    if not math.isfinite(reward):
        return f"its reward is {reward:g}, which ranks nothing"
    return replace(answer, scores={**answer.scores, **scores})


def rounds_before(record: Record) -> int:
    """The last round whose answers the record brings along; 0 where none says its round."""
    rounds = [answer.scores.get(ROUND, 0.0) for answer in record.answers]
    return int(max((r for r in rounds if math.isfinite(r)), default=0.0))


def different(record: Record, samples: Sequence[Answer | Rejected], stage: str) -> tuple[list[Answer], list[Rejected]]:
    """The record's answers and the samples, each text once (white space and case aside); the rest with the reason."""
    seen: set[str] = set()
    kept: list[Answer] = []
    aside: list[Rejected] = []
    for item in [*record.answers, *samples]:
        if isinstance(item, Rejected):
            aside.append(item)
            continue
        text = folded(item.text)
        reason = "it has no text" if not text else "the same as another answer" if text in seen else None
        if reason is None:
            seen.add(text)
            kept.append(item)
        else:
            aside.append(Rejected(record.with_answers([item]), stage, reason, "answer"))
    return kept, aside


def highest(
    record: Record, scored: Sequence[Answer], keep: int | None, stage: str
) -> tuple[list[Answer], list[Rejected]]:
    """The answers with the highest rewards, of equals the first, in the order they came; the rest with the reason."""
    if keep is None or keep >= len(scored):
        return list(scored), []
    ranked = sorted(range(len(scored)), key=lambda place: -scored[place].scores[REWARD])
    last = scored[ranked[keep - 1]].scores[REWARD]
    fallen: list[Rejected] = []
    for place in sorted(ranked[keep:]):
        answer = scored[place]
        reason = f"its reward of {answer.scores[REWARD]:g} comes after the {last:g} of the last of {keep} kept"
        fallen.append(Rejected(record.with_answers([answer]), stage, reason, "answer"))
    return [scored[place] for place in sorted(ranked[:keep])], fallen


def gain(scored: Sequence[Answer]) -> float:
    rewards = [answer.scores[REWARD] for answer in scored]
    return max(rewards) - median(rewards)
