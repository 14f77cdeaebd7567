"""Judge: a model's mark for an answer, as the expected value over the marks it might give.

The log-probabilities of the mark tokens are read instead of one sampled mark: finer than the marks themselves, the same
every time, and one token long (as in G-Eval, arXiv:2303.16634).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.errors import EngineError
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.factory.reward import Reward

MARKS = ("1", "2", "3", "4", "5")

_QUESTION: dict[Language, str] = {
    "en": (
        "Here is a request and an answer to it.\n\nRequest:\n{prompt}\n\nAnswer:\n{answer}\n\n"
        "How good is the answer? Think of whether it does what was asked, is correct, and is clear. "
        "Reply with one mark from 1 (useless) to 5 (excellent)."
    ),
    "zh": (
        "下面是一个请求和对它的回答。\n\n请求：\n{prompt}\n\n回答：\n{answer}\n\n"
        "这个回答有多好？请看它是否完成了要求、是否正确、是否清楚。只回复一个分数，1（毫无用处）到5（非常好）。"
    ),
}


class Judge(Reward):
    """The model itself marks each answer from 1 to 5; the reward is the expected mark."""

    kind: ClassVar[str] = "judge"

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        language = language_of(record.prompt_text)
        asked = _QUESTION[language].format(prompt=record.prompt_text, answer=answer.text)
        opening = "The mark is " if language == "en" else "分数："
        reply = await engine.complete(Request((Message("user", asked),), opening=opening, candidates=MARKS))
        return expected_mark(reply.log_probs)


def expected_mark(log_probs: Mapping[str, float]) -> float:
    """Sum of mark x probability, the probabilities of the known marks made to add up to 1."""
    weights = {mark: math.exp(log_probs[mark]) for mark in MARKS if mark in log_probs}
    total = sum(weights.values())
    if total <= 0:
        raise EngineError("the judge gave none of the marks 1 to 5 any probability")
    return sum(int(mark) * weight for mark, weight in weights.items()) / total
