"""A record's answers, compared pair by pair, and the labels that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import PREFERRED, REWARD, Answer, Fact, Record, Rejected
from tuneworks.factory.rlaif.comparing import Comparer, Comparison, all_of
from tuneworks.factory.rlaif.prompts import conversation

POSITION_BIAS = "position_bias"
"""The fact that says how far the two orders were apart, from 0 to 1, averaged over the record's comparisons."""

PRINCIPLES = "principles"
"""The fact that holds the numbers, from 1, of the principles that were drawn."""

TIE = 1e-9
"""Probabilities nearer to each other than that differ by rounding alone."""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Labeller:
    comparers: Mapping[Language, Comparer]
    principles: Mapping[Language, Sequence[str]]
    draws: int
    """Principles for a pair."""
    dice: Dice

    async def labelled(self, record: Record) -> Record | Rejected:
        """`record` has two answers at least. Its labels, or why it has none: a failure, or a tie."""
        pairs = list(combinations(range(len(record.answers)), 2))
        drawn = {pair: self._drawn(record, pair) for pair in pairs}
        try:
            compared = await all_of(self._compared(record, pair, drawn[pair]) for pair in pairs)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Rejected(record, self.dice.stage, f"its answers cannot be compared: {error}")
        numbers = sorted({number + 1 for draw in drawn.values() for number in draw})
        bias = round(sum(c.bias for c in compared) / len(compared), 6)
        facts: dict[str, Fact] = {POSITION_BIAS: bias, PRINCIPLES: " ".join(map(str, numbers))}
        return self._scored(record.with_meta(**facts), dict(zip(pairs, compared, strict=True)))

    def _drawn(self, record: Record, pair: Pair) -> list[int]:
        listed = self.principles[language_of(record.prompt_text)]
        return self.dice.random(record.id, "principles", *pair).sample(range(len(listed)), self.draws)

    async def _compared(self, record: Record, pair: Pair, drawn: Sequence[int]) -> Comparison:
        language = language_of(record.prompt_text)
        first, second = (record.answers[place].text for place in pair)
        asked = [self.principles[language][number] for number in drawn]
        comparer = self.comparers[language]
        return await comparer.compare(conversation(record, language), first, second, asked, record.id, *pair)

    def _scored(self, record: Record, compared: Mapping[Pair, Comparison]) -> Record | Rejected:
        rewards = mean_preferred(len(record.answers), {pair: c.preferred for pair, c in compared.items()})
        whole = record.with_answers(_labels(a, r, len(rewards)) for a, r in zip(record.answers, rewards, strict=True))
        if max(rewards) - min(rewards) > TIE:
            return whole
        bias = f"the two orders are {record.meta[POSITION_BIAS]:.3g} apart"
        reason = f"the model prefers none of its {len(rewards)} answers: each has {rewards[0]:.3g} ({bias})"
        return Rejected(whole, self.dice.stage, reason)


def mean_preferred(count: int, preferred: Mapping[Pair, float]) -> list[float]:
    """For each answer the mean probability of being preferred to another one, from that of each pair's first."""
    won = [0.0] * count
    for (first, second), p in preferred.items():
        won[first] += p
        won[second] += 1 - p
    return [sum_ / (count - 1) for sum_ in won]


def _labels(answer: Answer, reward: float, count: int) -> Answer:
    """The reward; of two answers it is also the soft label of the pair."""
    soft = {PREFERRED: reward} if count == 2 else {}
    return replace(answer, scores={**answer.scores, REWARD: reward, **soft})
