"""Pair rules: which two of a record's scored answers are a preference, or why none are.

The chosen answer has the highest worth: its reward less a penalty on its length. The rejected one lies below it in
worth and in reward and says something else, so that a margin is never zero or negative and no text stands on both
sides. A rule only says which of those below it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Record, Rejected

PairRule = Literal["best_worst", "best_random", "best_second"]

NO_PAIR = "no_pair"
"""The fact that says why a record's answers are no preference, though their rewards may differ."""


@dataclass(frozen=True, slots=True)
class PairRules:
    rule: PairRule = "best_worst"
    length_penalty: float = 0.0
    """Taken off the reward for each character (Unicode code point) of an answer, for the picking alone."""
    min_margin: float = 0.0
    """Least difference of the two rewards."""

    def worth(self, answer: Answer) -> float:
        return answer.scores[REWARD] - self.length_penalty * len(answer.text)


def paired(record: Record, rules: PairRules, dice: Dice) -> list[Record | Rejected]:
    """The record with its pair marked; without one, what says why goes before it. Older marks are gone.

    What says why is a Rejected that holds the answer which found no partner; that answer stays in the record. The
    record says it too (`NO_PAIR`), so that no pair is made of its rewards later.
    """
    plain = unmarked(record)
    picked = pick(plain.answers, rules, dice.random(record.id, "pair"))
    if isinstance(picked, str):
        alone = plain.with_answers(_best(plain.answers, rules))
        return [Rejected(alone, dice.stage, f"no pair: {picked}", "answer"), plain.with_meta(**{NO_PAIR: picked})]
    chosen, rejected = picked
    return [plain.with_answers(_marked(a, chosen, rejected) for a in plain.answers)]


def pick(answers: Sequence[Answer], rules: PairRules, chance: Random) -> tuple[Answer, Answer] | str:
    """(chosen, rejected), of equals the first; or why there is no pair. An answer without a finite reward is none."""
    scored = _scored(answers)
    if len(scored) < 2:
        return f"{len(scored)} of its answers carry a reward, and a pair needs 2"
    (best,) = _best(scored, rules)
    below = [answer for answer in scored if _below(answer, best, rules)]
    if not below:
        return _why_none(scored, best, rules)
    other = _partner(below, rules, chance)
    margin = best.scores[REWARD] - other.scores[REWARD]
    if margin < rules.min_margin:
        return f"the margin of {margin:.3g} is under {rules.min_margin:g}"
    return best, other


def unmarked(record: Record) -> Record:
    """Without what an earlier picking said: marks, soft labels, and the reason for no pair."""
    answers = [
        replace(a, scores={n: v for n, v in a.scores.items() if n not in (PAIR, PREFERRED)}) for a in record.answers
    ]
    return replace(record, answers=tuple(answers), meta={n: v for n, v in record.meta.items() if n != NO_PAIR})


def folded(text: str) -> str:
    """White space and case aside: texts that are equal so are the same answer."""
    return " ".join(text.split()).casefold()


def _scored(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if math.isfinite(answer.scores.get(REWARD, math.nan))]


def _best(answers: Sequence[Answer], rules: PairRules) -> list[Answer]:
    """The one of the highest worth, of equals that of the higher reward; none where nothing is scored."""
    ranked = sorted(_scored(answers), key=lambda a: (rules.worth(a), a.scores[REWARD]), reverse=True)
    return ranked[:1]


def _partner(below: Sequence[Answer], rules: PairRules, chance: Random) -> Answer:
    if rules.rule == "best_random":
        return chance.choice(below)
    return (min if rules.rule == "best_worst" else max)(below, key=rules.worth)


def _below(answer: Answer, best: Answer, rules: PairRules) -> bool:
    lower = answer.scores[REWARD] < best.scores[REWARD] and rules.worth(answer) < rules.worth(best)
    return lower and folded(answer.text) != folded(best.text)


def _why_none(scored: Sequence[Answer], best: Answer, rules: PairRules) -> str:
    reward = best.scores[REWARD]
    if all(answer.scores[REWARD] == reward for answer in scored):
        return f"its {len(scored)} rewards are all {reward:g}, a tie"
    if rules.length_penalty:
        penalty = f"the length penalty of {rules.length_penalty:g}"
        return f"no other text is below the best, of reward {reward:g}, both with and without {penalty}"
    return f"no other text has a reward below {reward:g}, that of the best"


def _marked(answer: Answer, chosen: Answer, rejected: Answer) -> Answer:
    if answer is chosen or answer is rejected:
        return replace(answer, scores={**answer.scores, PAIR: 1.0 if answer is chosen else 0.0})
    return answer
