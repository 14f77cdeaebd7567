"""Controls: the texts that ask for an answer of some quality, in the prompt's language.

Levels run from 1, the worst, to K. Two of them are called bad and good, more by their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from tuneworks.factory.record import Message

Phrasing = Literal["good_bad", "rank", "reward"]

CONTROLS: Mapping[str, Mapping[str, str]] = {
    "en": {"good": "Give a good answer.", "bad": "Give a bad answer."},
    "zh": {"good": "给出好的回答。", "bad": "给出差的回答。"},
}
RANKS = {"en": "Give the answer that ranks {rank} of {levels}.", "zh": "给出{levels}个回答中排第{rank}名的回答。"}
REWARDS = {"en": "Give an answer that scores {score} of 100.", "zh": "给出得{score}分的回答（满分100分）。"}


def label(level: int, levels: int) -> str:
    return ("bad", "good")[level - 1] if levels == 2 else str(level)


def ordered(labels: Iterable[str]) -> list[str]:
    """Labels that ask for a quality, the worst first."""
    return sorted((label for label in labels if label in ("bad", "good") or label.isdigit()), key=_place)


def _place(label: str) -> int:
    return int(label) if label.isdigit() else ("bad", "good").index(label)


def control(level: int, levels: int, phrasing: Phrasing, language: str) -> str:
    """What asks for the level: by its name, its rank (1 is the best), or a score from 0 to 100."""
    if phrasing == "rank":
        return RANKS[language].format(rank=levels - level + 1, levels=levels)
    if phrasing == "reward":
        return REWARDS[language].format(score=round(100 * (level - 1) / (levels - 1)))
    return CONTROLS[language][label(level, levels)]


def controlled(prompt: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The prompt with the control as the last line of its system turn; write it there at inference, too."""
    if prompt and prompt[0].role == "system":
        return (Message("system", f"{prompt[0].content}\n{text}"), *prompt[1:])
    return (Message("system", text), *prompt)


def without_control(prompt: Sequence[Mapping[str, str]], text: str | None) -> list[dict[str, str]]:
    """Turns of a row as they were before `controlled`."""
    turns = [dict(turn) for turn in prompt]
    if text is None:
        return turns
    said = turns[0]["content"].removesuffix(text).removesuffix("\n")
    return ([turns[0] | {"content": said}] if said else []) + turns[1:]


def language_of(prompt: Sequence[Message]) -> str:
    """zh where a fifth of the letters that are asked with are Han characters and none is Japanese kana; else en."""
    letters = [c for message in prompt if message.role == "user" for c in message.content if c.isalpha()]
    han = sum("\u3400" <= c <= "\u9fff" for c in letters)
    chinese = han * 5 >= len(letters) > 0 and not any("\u3040" <= c <= "\u30ff" for c in letters)
    return "zh" if chinese else "en"
