"""How a task is laid out: with worked examples before it, and with reasoning before the answer."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneworks.factory.language import Language
from tuneworks.factory.prompts import filled


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to show examples: what comes first, how an example looks, and how the task itself does."""

    opening: str
    example: str
    task: str


LAYOUTS: Mapping[Language, tuple[Layout, ...]] = {
    "en": (
        Layout(
            "Here are some tasks with their answers. Do the last one in the same way.",
            "Task: {task}\nAnswer: {answer}",
            "Task: {task}\nAnswer:",
        ),
        Layout("", "[Request]\n{task}\n\n[Reply]\n{answer}", "[Request]\n{task}\n\n[Reply]"),
        Layout(
            "Look at how these requests were answered:",
            "{task}\n=> {answer}",
            "Now answer this one yourself:\n\n{task}",
        ),
    ),
    "zh": (
        Layout("下面是一些任务和答案，请照样完成最后一个。", "任务：{task}\n回答：{answer}", "任务：{task}\n回答："),
        Layout("", "【请求】\n{task}\n\n【回复】\n{answer}", "【请求】\n{task}\n\n【回复】"),
        Layout("请看这些请求是怎样回答的：", "{task}\n=> {answer}", "现在请你回答这一个：\n\n{task}"),
    ),
}

THINK: Mapping[Language, str] = {
    "en": 'Think step by step first. End with one line that begins with "Answer:" and gives only the final answer.',
    "zh": "请先一步一步地思考，最后用单独一行以“答案：”开头，只写出最终答案。",
}

_ANSWER: Mapping[Language, str] = {"en": "Answer: {answer}", "zh": "答案：{answer}"}
_END = re.compile(r"(?:\A|\n)[ \t*_]{0,8}(?:Answer|答案)[ \t*_]{0,8}[:：]([^\n]*)\s*\Z", re.IGNORECASE)


def with_examples(layout: Layout, task: str, examples: Sequence[tuple[str, str]]) -> str:
    """The task after (task, answer) examples of how others were done."""
    shown = [filled(layout.example, task=asked, answer=answer) for asked, answer in examples]
    return "\n\n".join(part for part in [layout.opening, *shown, filled(layout.task, task=task)] if part)


def reasoned(reasoning: str, answer: str, language: Language) -> str:
    """An answer as text: the reasoning first, where there is any, and the answer on a line of its own."""
    line = filled(_ANSWER[language], answer=" ".join(answer.split()))
    return f"{reasoning.strip()}\n\n{line}" if reasoning.strip() else line


def end_answer(text: str) -> str | None:
    """What the last line of a reasoned answer gives as the answer, or None where the text has no such line."""
    match = _END.search(text[-2000:])
    return match[1].strip(" \t*_") or None if match else None


def same_answer(one: str, other: str) -> bool:
    """Whether two short answers are the same, whatever their case, marks and spaces; 1,000 is 1000, and 7.0 is 7."""
    return _plain(one) == _plain(other)


_DRESS = " \t.,;:!?\"'`*_()[]{}$€£¥%。，、；：！？“”‘’「」《》"


def _plain(answer: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", answer).casefold().split())
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)
    text = re.sub(r"(\.\d*?)0+(?!\d)", r"\1", text)
    return re.sub(r"\.(?!\d)", "", text.removeprefix("- ").strip(_DRESS)) or text
