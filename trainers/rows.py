"""Views: records as training rows in TRL's conversational format, computed at the end, never carried along.

A view is one function that yields rows, one schema to write them with, and one function that says why a
record gave no row. An answer counts when it has text; its score is the finite number called "reward", higher
is better.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Message, Record, fingerprint

Row = dict[str, Any]
Quality = Literal["good", "bad"]

_TEXT = pl.String()
_TURNS = pl.List(pl.Struct({"role": _TEXT, "content": _TEXT}))

SFT = pl.Schema({"id": _TEXT, "prompt": _TURNS, "completion": _TURNS})
PREFERENCE = pl.Schema(
    {
        **{"id": _TEXT, "prompt": _TURNS, "chosen": _TURNS, "rejected": _TURNS},
        "margin": pl.Float64(),  # of the rewards; null where one of the pair has none
        "probability": pl.Float64(),  # that chosen is the better one; null where nobody said
    }
)
QUALITY = pl.Schema({**SFT, "quality": _TEXT})  # good, bad, or none where the prompt asks for neither

CONTROLS: Mapping[str, Mapping[Quality, str]] = {
    "en": {"good": "Give a good answer.", "bad": "Give a bad answer."},
    "zh": {"good": "给出好的回答。", "bad": "给出差的回答。"},
}

UNCONTROLLED_ONE_IN = 10
"""One record in so many keeps its prompt as it is, so that the model also works without a control."""


def sft_rows(records: Iterable[Record]) -> Iterator[Row]:
    """The best answer of each record; of equals, and where nothing is scored, the first."""
    for record in records:
        if sft_reason(record) is None:
            yield {"id": record.id, "prompt": _turns(record.prompt), "completion": _turn(_best(record))}


def sft_reason(record: Record) -> str | None:
    if not _answers(record):
        return "it has no answer with text"
    if _best(record).scores.get(PAIR) == 0.0:
        return "its best answer is marked as a bad one"
    return _prompt_reason(record)


def _best(record: Record) -> Answer:
    return max(_answers(record), key=lambda answer: _reward(answer, otherwise=-math.inf))


def preference_rows(records: Iterable[Record], min_margin: float = -math.inf) -> Iterator[Row]:
    """The pair that was picked, else the best answer against the worst; `margin` is the difference of rewards."""
    for record in records:
        pair = _pair(record, min_margin)
        if isinstance(pair, str) or _prompt_reason(record) is not None:
            continue
        chosen, rejected = pair
        yield {
            "id": record.id,
            "prompt": _turns(record.prompt),
            "chosen": _turn(chosen),
            "rejected": _turn(rejected),
            "margin": _margin(chosen, rejected),
            "probability": chosen.scores.get(PREFERRED),
        }


def preference_reason(record: Record, min_margin: float = -math.inf) -> str | None:
    pair = _pair(record, min_margin)
    return pair if isinstance(pair, str) else _prompt_reason(record)


def quality_rows(records: Iterable[Record]) -> Iterator[Row]:
    """Answers above their record's mean reward as good, those below as bad; the system turn asks for either.

    Conditional training as in SteerLM (2310.05344) and Quark (2205.13636), with two levels in plain words.
    Both levels appear for every prompt, so that the control and not the prompt tells them apart. One record
    in ten, chosen by the hash of its id, keeps only its good answers and carries no control (`quality` is
    none): a model that nobody steers should answer well.
    """
    for record in records:
        if quality_reason(record) is not None:
            continue
        good, bad = _sides(record)
        if uncontrolled(record):
            yield from (_quality_row(record, record.prompt, answer, "none") for answer in good)
        else:
            wanted, unwanted = controlled(record.prompt, "good"), controlled(record.prompt, "bad")
            yield from (_quality_row(record, wanted, answer, "good") for answer in good)
            yield from (_quality_row(record, unwanted, answer, "bad") for answer in bad)


def quality_reason(record: Record) -> str | None:
    scored = _scored(record)
    if len(scored) < 2:
        return f"{len(scored)} of its answers carry a reward, and telling good from bad needs 2"
    good, bad = _sides(record)
    if not good or not bad:
        return f"its {len(scored)} rewards do not set one text above their mean and another below"
    return _prompt_reason(record)


def uncontrolled(record: Record) -> bool:
    return int(fingerprint(["uncontrolled", record.id]), 16) % UNCONTROLLED_ONE_IN == 0


def controlled(prompt: Sequence[Message], quality: Quality) -> tuple[Message, ...]:
    """The prompt with the control in its system turn, in the prompt's language; use it at inference, too."""
    asked = " ".join(m.content for m in prompt if m.role == "user")
    control = CONTROLS["zh" if _is_chinese(asked) else "en"][quality]
    if prompt and prompt[0].role == "system":
        return (Message("system", f"{prompt[0].content}\n{control}"), *prompt[1:])
    return (Message("system", control), *prompt)


def _pair(record: Record, min_margin: float) -> tuple[Answer, Answer] | str:
    """(chosen, rejected), or why there is no pair."""
    picked = any(PAIR in answer.scores for answer in record.answers)
    if not picked and NO_PAIR in record.meta:
        return str(record.meta[NO_PAIR])
    pair = _picked(record) if picked else _ranked(record)
    if isinstance(pair, str):
        return pair
    chosen, rejected = pair
    if _folded(chosen.text) == _folded(rejected.text):
        return f"its {'chosen and its rejected' if picked else 'best and its worst'} answer are the same text"
    margin = _margin(chosen, rejected)
    if margin is not None and margin < min_margin:
        return f"the margin of {margin:.3g} is under {min_margin:g}"
    return pair


def _picked(record: Record) -> tuple[Answer, Answer] | str:
    """By the marks alone: who picked them had reasons, whatever the rewards say."""
    marked = [answer for answer in _answers(record) if PAIR in answer.scores]
    chosen = [answer for answer in marked if answer.scores[PAIR] == 1]
    rejected = [answer for answer in marked if answer.scores[PAIR] == 0]
    if not chosen or not rejected:
        return f"{len(chosen)} chosen and {len(rejected)} rejected answers are left of its pair, which needs 1 of each"
    return chosen[0], rejected[0]


def _ranked(record: Record) -> tuple[Answer, Answer] | str:
    scored = _scored(record)
    if len(scored) < 2:
        return f"{len(scored)} of its answers carry a reward, and a pair needs 2"
    best, worst = _extremes(scored)
    if not _reward(best) - _reward(worst) > 0:
        return f"its {len(scored)} rewards are all {_reward(best):g}, a tie"
    return best, worst


def _extremes(scored: Sequence[Answer]) -> tuple[Answer, Answer]:
    return max(scored, key=_reward), min(scored, key=_reward)


def _sides(record: Record) -> tuple[list[Answer], list[Answer]]:
    """Answers above and below the mean reward, without those at the mean and texts that are on both sides."""
    scored = _scored(record)
    mean = sum(_reward(answer) / len(scored) for answer in scored)
    # The mean is rounded: an answer nearer to it than rounding can tell is at the mean.
    near = max(abs(_reward(answer)) for answer in scored) * 1e-9
    good = _by_text(a for a in scored if _reward(a) > mean + near)
    bad = _by_text(a for a in scored if _reward(a) < mean - near)
    both = good.keys() & bad.keys()
    return [good[text] for text in good if text not in both], [bad[text] for text in bad if text not in both]


def _by_text(answers: Iterable[Answer]) -> dict[str, Answer]:
    """Each text once, with the first answer that has it."""
    first: dict[str, Answer] = {}
    for answer in answers:
        first.setdefault(_folded(answer.text), answer)
    return first


def _quality_row(record: Record, prompt: Sequence[Message], answer: Answer, quality: str) -> Row:
    return {"id": record.id, "prompt": _turns(prompt), "completion": _turn(answer), "quality": quality}


def _is_chinese(text: str) -> bool:
    """Whether a fifth of the letters are Han characters and none is Japanese kana."""
    letters = [c for c in text if c.isalpha()]
    han = sum("\u3400" <= c <= "\u9fff" for c in letters)
    return han * 5 >= len(letters) > 0 and not any("\u3040" <= c <= "\u30ff" for c in letters)


def _answers(record: Record) -> list[Answer]:
    return [answer for answer in record.answers if answer.text.strip()]


def _scored(record: Record) -> list[Answer]:
    return [answer for answer in _answers(record) if math.isfinite(_reward(answer))]


def _reward(answer: Answer, otherwise: float = math.nan) -> float:
    reward = answer.scores.get(REWARD, otherwise)
    return otherwise if math.isnan(reward) else reward


def _margin(chosen: Answer, rejected: Answer) -> float | None:
    rewards = _reward(chosen), _reward(rejected)
    return rewards[0] - rewards[1] if all(map(math.isfinite, rewards)) else None


def _prompt_reason(record: Record) -> str | None:
    last = record.prompt[-1] if record.prompt else None
    if last is None or last.role != "user" or not last.content.strip():
        return "its prompt does not end in a user message with text"
    return None


def _turns(prompt: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in prompt]


def _turn(answer: Answer) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer.text}]


def _folded(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class View:
    schema: pl.Schema
    rows: Callable[[Iterable[Record]], Iterator[Row]]
    why_not: Callable[[Record], str | None]
    """Why a record gave no row, in words that follow "because"; None when it gave one."""


VIEWS: Mapping[str, View] = {
    "sft": View(SFT, sft_rows, sft_reason),
    "preference": View(PREFERENCE, preference_rows, preference_reason),
    "quality": View(QUALITY, quality_rows, quality_reason),
}
"""The dataset configurations, by the name of their folder."""
