"""Reasoned answers: the model thinks step by step, and where the right answer is known, must end in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.example_turns import example_turns
from tuneworks.factory.form import Filled, Form, fill
from tuneworks.factory.formats.layouts import end_answer, reasoned, same_answer
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import Answer, Record, Rejected, best_answer
from tuneworks.factory.rouge import unicode_tokens
from tuneworks.factory.wording import repetition

SHORT = 5
"""Most words of an answer that a reasoned one is compared with; longer ones can be right in many ways."""

MOST_WORDS = 20
"""Most words of a final answer; a longer one goes on with the reasoning."""

TEMPERATURE, TOP_P = 0.7, 0.95

FORM: dict[Language, Form] = {
    "en": Form({"reasoning": "Reasoning", "answer": "Answer"}),
    "zh": Form({"reasoning": "思考", "answer": "答案"}),
}
ASK: dict[Language, str] = {"en": "Think step by step before you answer.", "zh": "请先一步一步地思考，再回答。"}


def gold_answer(record: Record) -> str | None:
    """The record's own answer, where it is short enough to compare with."""
    best = best_answer(record)
    if best is None or not best.text.strip():
        return None
    text = end_answer(best.text) or best.text.strip()
    return text if "\n" not in text and len(unicode_tokens(text)) <= SHORT else None


EXAMPLES: dict[Language, tuple[tuple[str, str, str], ...]] = {
    "en": (
        (
            "A box holds 4 rows of 6 eggs. How many eggs are in it?",
            "There are 4 rows, and each row has 6 eggs. 4 times 6 is 24.",
            "24",
        ),
        (
            "Which of these is the odd one out: violin, trumpet, cello?",
            "A violin and a cello have strings. A trumpet has none; it is blown. So it is not like the others.",
            "trumpet",
        ),
    ),
    "zh": (
        ("一个盒子里有4排鸡蛋，每排6个，一共有多少个？", "一共有4排，每排6个，4乘以6等于24。", "24"),
        ("小提琴、小号、大提琴，哪一个与众不同？", "小提琴和大提琴有弦，小号没有弦，是吹奏的，所以小号不同。", "小号"),
    ),
}
"""Questions with reasoning and answer, shown as earlier turns."""


def asked(question: str, language: Language) -> str:
    return f"{question}\n\n{ASK[language]}"


def no_reasoning(texts: Mapping[str, str]) -> str | None:
    """Why a reply is no reasoning with a final answer, or None."""
    words = len(unicode_tokens(texts["answer"]))
    if not words:
        return "the answer holds no word"
    if words > MOST_WORDS:
        return f"the final answer has {words} words, more than {MOST_WORDS}"
    return repetition(texts["reasoning"])


@dataclass(frozen=True, slots=True)
class Reasoning:
    engine: Engine
    dice: Dice
    max_tokens: int

    async def of(self, record: Record) -> tuple[str, Answer | Rejected]:
        """The record's id, and an answer that ends in a line with the final answer, or why there is none."""
        return record.id, await self._answer(record)

    async def _answer(self, record: Record) -> Answer | Rejected:
        language = language_of(record.prompt_text)
        *before, last = record.prompt
        system = [message for message in before if message.role == "system"]
        said = [message for message in before if message.role != "system"]
        shown = [(asked(q, language), {"reasoning": r, "answer": a}) for q, r, a in EXAMPLES[language]]
        turns = example_turns(FORM[language], shown, self.engine, language)
        request = Request(
            messages=(*system, *turns, *said, replace(last, content=asked(last.content, language))),
            max_tokens=self.max_tokens,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            seed=self.dice.number("reasoning", record.id),
        )
        made = await fill(FORM[language], request, self.engine, language, no_reasoning)
        if not isinstance(made, Filled):
            return made.rejected(
                self.dice.stage, self.engine.name, source=record.source, parents=(record.id,), meta=record.meta
            )
        text = reasoned(made.texts["reasoning"], made.texts["answer"], language)
        answer, gold = Answer(text, by=self.engine.name), gold_answer(record)
        if gold is None or same_answer(made.texts["answer"], gold):
            return answer
        reason = f'the reasoning ends in "{made.texts["answer"]}", and the record\'s answer is "{gold}"'
        return Rejected(record.with_answers([answer]), self.dice.stage, reason, "answer")
