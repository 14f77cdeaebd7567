"""What the model is asked when it compares two answers, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuneworks.factory.language import Language
from tuneworks.factory.record import Record


@dataclass(frozen=True, slots=True)
class RlaifPrompts:
    question: str
    """Shows {prompt} and the answers {first} and {second} as A and B, and asks the {principle}."""
    opening: str
    """What the reply begins with; the letter comes next."""
    reasoning: str
    """After the question where the model is to reason first."""
    verdict: str
    """Asks for the letter once it has reasoned."""


ENGLISH = RlaifPrompts(
    question="Request: {prompt}\n\nAnswer A: {first}\n\nAnswer B: {second}\n\n{principle} Reply with A or B.",
    opening="Answer",
    reasoning="First compare the two answers step by step, in a few sentences.",
    verdict="So which answer is it, A or B?",
)

CHINESE = RlaifPrompts(
    question="请求：{prompt}\n\n回答A：{first}\n\n回答B：{second}\n\n{principle}请回复A或B。",
    opening="回答",
    reasoning="请先用几句话一步一步地比较这两个回答。",
    verdict="那么是哪个回答，A还是B？",
)

PROMPTS: Mapping[Language, RlaifPrompts] = {"en": ENGLISH, "zh": CHINESE}

_SPEAKERS: Mapping[Language, Mapping[str, str]] = {
    "en": {"system": "System: ", "user": "User: ", "assistant": "Assistant: "},
    "zh": {"system": "系统：", "user": "用户：", "assistant": "助手："},
}


def conversation(record: Record, language: Language) -> str:
    """The prompt as a text; where it is more than one message, each with its speaker."""
    if len(record.prompt) == 1:
        return record.prompt[0].content
    return "\n\n".join(_SPEAKERS[language][m.role] + m.content for m in record.prompt)
