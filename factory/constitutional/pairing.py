"""Pairing: which two of a record's steps are its preference, and the rewards that make the chosen one its best."""

from collections.abc import Sequence
from dataclasses import replace

from tuneworks.factory.pair_rules import NO_PAIR, folded, unmarked
from tuneworks.factory.record import PAIR, REWARD, Answer, Record

STEP = "step"
"""The score that numbers a record's answers: 0 for the initial one, then one for each revision."""


def paired(record: Record, chosen: int, rejected: int) -> Record:
    """The record with its answers as numbered, rewarded steps, two of them marked; or with why none are (`NO_PAIR`).

    Negative steps count from the last. Where the chosen step was not reached the last is the best.
    """
    record = unmarked(record)
    count = len(record.answers)
    first, second = _reached(chosen, count), _reached(rejected, count)
    best = count - 1 if first is None else first
    rewards = _rewards([folded(a.text) for a in record.answers], best)
    reason = _no_pair(record.answers, first, second)
    marks = {} if reason else {first: {PAIR: 1.0}, second: {PAIR: 0.0}}
    made = record.with_answers(
        replace(a, scores={**a.scores, STEP: float(n), REWARD: rewards[n], **marks.get(n, {})})
        for n, a in enumerate(record.answers)
    )
    return made.with_meta(**{NO_PAIR: reason}) if reason else made


def _reached(step: int, count: int) -> int | None:
    """The step as a number from 0, or None where the record did not get so far."""
    return step % count if -count <= step < count else None


def _no_pair(answers: Sequence[Answer], first: int | None, second: int | None) -> str | None:
    if first is None or second is None:
        return f"the record ends at step {len(answers) - 1}, before the {'chosen' if first is None else 'rejected'} one"
    if first == second:
        return f"the chosen and the rejected answer are both step {first}"
    if folded(answers[first].text) == folded(answers[second].text):
        return f"the answers of steps {first} and {second} are the same text"
    return None


def _rewards(texts: Sequence[str], best: int) -> list[float]:
    """Later steps are better, equal texts are equal, and the text of step `best` is above all others."""
    first_seen = [texts.index(text) for text in texts]
    top = first_seen[best]
    above = len(texts) if top < max(first_seen) else top
    return [float(above if first == top else first) for first in first_seen]
