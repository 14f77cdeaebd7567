"""Answers of every quality, with a control in the prompt that asks for the one at hand."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from tuneworks.factory.record import Answer, Message, Record, fingerprint
from tuneworks.trainers.rows.controls import Phrasing, control, controlled, label, language_of
from tuneworks.trainers.rows.sft import SFT
from tuneworks.trainers.rows.turns import TEXT, Row, by_text, prompt_reason, reward, scored, turn, turns

QUALITY = pl.Schema({**SFT, "quality": TEXT, "control": TEXT})
"""`quality` is bad or good, a level from 1 to K, or none where the prompt asks for no quality; of a row of hindsight it
names both answers, "good after bad". `control` is the line of the system turn that asks for it."""

NONE = "none"

AFTER = " after "


@dataclass(frozen=True, slots=True)
class Levels:
    """How qualities are told apart and asked for."""

    count: int = 2
    phrasing: Phrasing = "good_bad"
    uncontrolled: float = 0.1
    hindsight: bool = False
    edges: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Of more than two levels, by kind of task ("" for all others): the largest reward of each level but the best."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The kind of task of a record, by its id, where it has edges of its own."""


TWO = Levels()


def quality_rows(records: Iterable[Record], levels: Levels = TWO) -> Iterator[Row]:
    """Each answer once, its level asked for in the system turn.

    Conditional training as in SteerLM (2310.05344) and Quark (2205.13636). Of two levels answers above their record's
    mean reward are good and those below bad, and both appear for every prompt, so that the control and not the prompt
    tells them apart. More are quantiles of all rewards of the same kind of task. A share of the records, chosen by the
    hash of their ids, keeps only its best answers and carries no control: whoever steers nothing wants good answers.
    """
    for record in records:
        if quality_reason(record, levels) is not None:
            continue
        placed = _placed(record, levels)
        best = max(level for _, level in placed)
        if uncontrolled(record, levels.uncontrolled):
            yield from (_row(record, answer, NONE, None) for answer, level in placed if level == best)
            continue
        asked = {level: _control(record, level, levels) for _, level in placed}
        yield from (_row(record, answer, label(level, levels.count), asked[level]) for answer, level in placed)
        if levels.hindsight and len(asked) > 1:
            yield _hindsight(record, placed, levels)


def quality_reason(record: Record, levels: Levels = TWO) -> str | None:
    if levels.count == 2:
        return sides_reason(record) or prompt_reason(record)
    return None if scored(record) and prompt_reason(record) is None else prompt_reason(record) or UNSCORED


UNSCORED = "none of its answers carries a reward"


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


def uncontrolled(record: Record, share: float = TWO.uncontrolled) -> bool:
    return int(fingerprint(["uncontrolled", record.id]), 16) % 1000 < share * 1000


def answers_learned(quality: str) -> int:
    """How many of the assistant's turns of a row are learned, the last ones."""
    return 2 if AFTER in quality else 1


def _placed(record: Record, levels: Levels) -> list[tuple[Answer, int]]:
    """Each text once, with its level; the best first."""
    if levels.count == 2:
        good, bad = sides(record)
        return [*((answer, 2) for answer in good), *((answer, 1) for answer in bad)]
    kind = levels.kinds.get(record.id, "")
    edges = levels.edges.get(kind, levels.edges.get("", ()))
    texts = by_text(sorted(scored(record), key=reward, reverse=True)).values()
    return [(answer, 1 + bisect_left(edges, reward(answer))) for answer in texts]


def _control(record: Record, level: int, levels: Levels) -> str:
    return control(level, levels.count, levels.phrasing, language_of(record.prompt))


def _hindsight(record: Record, placed: Sequence[tuple[Answer, int]], levels: Levels) -> Row:
    """Chain of Hindsight (2302.02676): the best and the worst answer one after the other, each asked for, in an order
    that the record's hash decides; both are learned."""
    ends = [placed[0], placed[-1]]
    if int(fingerprint(["hindsight", record.id]), 16) % 2:
        ends.reverse()
    (first, one), (second, other) = ends
    texts = [_control(record, level, levels) for level in (one, other)]
    said = (*controlled(record.prompt, texts[0]), Message("assistant", first.text), Message("user", texts[1]))
    quality = f"{label(other, levels.count)}{AFTER}{label(one, levels.count)}"
    return _row(record, second, quality, texts[0], said)


def _row(
    record: Record, answer: Answer, quality: str, text: str | None, prompt: Sequence[Message] | None = None
) -> Row:
    if prompt is None:
        prompt = record.prompt if text is None else controlled(record.prompt, text)
    return {
        "id": record.id,
        "prompt": turns(prompt),
        "completion": turn(answer),
        "quality": quality,
        "control": text,
    }
