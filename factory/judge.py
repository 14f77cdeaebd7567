"""Judge: a model's mark for an answer, as the expected value over the marks it might give.

The log-probabilities of the mark tokens are read instead of one sampled mark: finer than the marks themselves, the same
every time, and one token long (as in G-Eval, arXiv:2303.16634).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from tuneworks.factory.engine import Engine, NamedEngine, Request, opened_beside
from tuneworks.factory.errors import EngineError
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import filled, load_prompts
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.factory.reward import Reward

MARKS = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class JudgePrompts:
    question: str
    """Shows {prompt} and {answer} and asks for a mark from 1 to 5."""
    opening: str
    """What the reply begins with; the mark comes next."""


ENGLISH = JudgePrompts(
    question=(
        "Here is a request and an answer to it.\n\nRequest:\n{prompt}\n\nAnswer:\n{answer}\n\n"
        "How good is the answer? Think of whether it does what was asked, is correct, and is clear. "
        "Reply with one mark from 1 (useless) to 5 (excellent)."
    ),
    opening="The mark is ",
)

CHINESE = JudgePrompts(
    question=(
        "下面是一个请求和对它的回答。\n\n请求：\n{prompt}\n\n回答：\n{answer}\n\n"
        "这个回答有多好？请看它是否完成了要求、是否正确、是否清楚。只回复一个分数，1（毫无用处）到5（非常好）。"
    ),
    opening="分数：",
)

PROMPTS: Mapping[Language, JudgePrompts] = {"en": ENGLISH, "zh": CHINESE}


class Judge(Reward):
    """The model itself marks each answer from 1 to 5; the reward is the expected mark."""

    kind: ClassVar[str] = "judge"

    engine: NamedEngine = None
    """Which model judges; the one that answers where nothing is written."""
    prompts: File | None = None
    """A YAML file of your own texts for the prompts `question` and `opening`; ours when left out."""

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        ask = self._texts[language_of(record.prompt_text)]
        judging = opened_beside(engine, self.engine) if self.engine else engine
        asked = filled(ask.question, prompt=record.prompt_text, answer=answer.text)
        reply = await judging.complete(Request((Message("user", asked),), opening=ask.opening, candidates=MARKS))
        return expected_mark(reply.log_probs)

    @cached_property
    def _texts(self) -> Mapping[Language, JudgePrompts]:
        return load_prompts(self.prompts, PROMPTS)


def expected_mark(log_probs: Mapping[str, float]) -> float:
    """Sum of mark x probability, the probabilities of the known marks made to add up to 1."""
    weights = {mark: math.exp(log_probs[mark]) for mark in MARKS if mark in log_probs}
    total = sum(weights.values())
    if not total > 0:
        raise EngineError(
            "the judge gave none of the marks 1 to 5 any probability; a model that judges must begin its reply with "
            "the mark, on a server that gives log-probabilities, such as vLLM"
        )
    return sum(int(mark) * weight for mark, weight in weights.items()) / total
