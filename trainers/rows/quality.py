"""Good and bad answers of each record, with a control in the prompt that asks for either."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import polars as pl

from tuneworks.factory.record import Answer, Message, Record, fingerprint
from tuneworks.trainers.rows.sft import SFT
from tuneworks.trainers.rows.turns import TEXT, Row, by_text, prompt_reason, reward, scored, turn, turns

Quality = Literal["good", "bad"]

QUALITY = pl.Schema({**SFT, "quality": TEXT})  # good, bad, or none where the prompt asks for neither

CONTROLS: Mapping[str, Mapping[Quality, str]] = {
    "en": {"good": "Give a good answer.", "bad": "Give a bad answer."},
    "zh": {"good": "给出好的回答。", "bad": "给出差的回答。"},
}

UNCONTROLLED_ONE_IN = 10
"""One record in so many keeps its prompt as it is, so that the model also works without a control."""


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
        good, bad = sides(record)
        if uncontrolled(record):
            yield from (_row(record, record.prompt, answer, "none") for answer in good)
        else:
            wanted, unwanted = controlled(record.prompt, "good"), controlled(record.prompt, "bad")
            yield from (_row(record, wanted, answer, "good") for answer in good)
            yield from (_row(record, unwanted, answer, "bad") for answer in bad)


def quality_reason(record: Record) -> str | None:
    return sides_reason(record) or prompt_reason(record)


def sides_reason(record: Record) -> str | None:
    """Why its rewards do not tell good answers from bad ones."""
    found = scored(record)
    if len(found) < 2:
        return f"{len(found)} of its answers carry a reward, and telling good from bad needs 2"
    if not all(sides(record)):
        return f"its {len(found)} rewards do not set one text above their mean and another below"
    return None


def sides(record: Record) -> tuple[list[Answer], list[Answer]]:
    """Answers above and below the mean reward, without those at the mean and texts that are on both sides."""
    found = scored(record)
    mean = sum(reward(answer) / len(found) for answer in found)
    # The mean is rounded: an answer nearer to it than rounding can tell is at the mean.
    near = max(abs(reward(answer)) for answer in found) * 1e-9
    return apart(
        (a for a in found if reward(a) > mean + near),
        (a for a in found if reward(a) < mean - near),
    )


def apart(good: Iterable[Answer], bad: Iterable[Answer]) -> tuple[list[Answer], list[Answer]]:
    """Each text once, without those that are called both."""
    goods, bads = by_text(good), by_text(bad)
    both = goods.keys() & bads.keys()
    return [goods[text] for text in goods if text not in both], [bads[text] for text in bads if text not in both]


def uncontrolled(record: Record) -> bool:
    return int(fingerprint(["uncontrolled", record.id]), 16) % UNCONTROLLED_ONE_IN == 0


def controlled(prompt: Sequence[Message], quality: Quality) -> tuple[Message, ...]:
    """The prompt with the control in its system turn, in the prompt's language; use it at inference, too."""
    asked = " ".join(m.content for m in prompt if m.role == "user")
    control = CONTROLS["zh" if _is_chinese(asked) else "en"][quality]
    if prompt and prompt[0].role == "system":
        return (Message("system", f"{prompt[0].content}\n{control}"), *prompt[1:])
    return (Message("system", control), *prompt)


def _row(record: Record, prompt: Sequence[Message], answer: Answer, quality: str) -> Row:
    return {"id": record.id, "prompt": turns(prompt), "completion": turn(answer), "quality": quality}


def _is_chinese(text: str) -> bool:
    """Whether a fifth of the letters are Han characters and none is Japanese kana."""
    letters = [c for c in text if c.isalpha()]
    han = sum("\u3400" <= c <= "\u9fff" for c in letters)
    return han * 5 >= len(letters) > 0 and not any("\u3040" <= c <= "\u30ff" for c in letters)
