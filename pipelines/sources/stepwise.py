"""Rows whose answers are labelled step by step: TRL's former stepwise format, and PRM800K's lines (2305.20050).

What is wrong with a row is said, and the row set aside. An answer with a wrong step is marked as a bad one, so that no
other dataset trains on it for want of a better.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuneworks.factory.errors import InputError
from tuneworks.factory.form import whole_characters
from tuneworks.factory.record import PAIR, REWARD, Answer
from tuneworks.factory.steps import NEUTRAL, RIGHT, WRONG, labelled

LABELS = {RIGHT, NEUTRAL, WRONG}
RATINGS = {1: RIGHT, 0: NEUTRAL, -1: WRONG}
"""PRM800K's."""

UNUSED = {
    "bad_problem": "who labelled it called the problem broken (finish_reason bad_problem)",
    "give_up": "who labelled it gave up (finish_reason give_up)",
}

Step = tuple[str, float | None]
"""Its text, and its label where it has one."""


@dataclass(frozen=True, slots=True)
class Judged:
    answers: Sequence[Answer] = ()
    reason: str | None = None
    """Why the row cannot be used."""


def is_stepwise(row: Mapping[str, Any]) -> bool:
    """Whether it has the columns `completions` and `labels`, of which one may be null."""
    both = ("completions", "labels")
    return all(name in row for name in both) and any(row[name] is not None for name in both)


def is_prm800k(row: Mapping[str, Any]) -> bool:
    question, label = row.get("question"), row.get("label")
    return isinstance(question, dict) and "problem" in question and isinstance(label, dict) and "steps" in label


def stepwise(row: Mapping[str, Any], where: str) -> Judged:
    steps: Any = row.get("completions", [])
    labels: Any = row.get("labels", [])
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise InputError(f"the completions of {where} are no list of texts; write one text for each step")
    if not isinstance(labels, list):
        raise InputError(f"the labels of {where} are no list; write true or false for each step")
    texts = [whole_characters(step) for step in steps]
    reason = _why_not(len(texts), labels)
    if reason is not None:
        return Judged([labelled(texts, [])], reason)
    numbers = [None if label is None else float(label) for label in labels]
    return _judged([list(zip(texts, numbers, strict=True))])


def _why_not(steps: int, labels: Sequence[object]) -> str | None:
    if len(labels) != steps:
        return f"it has {steps} steps (completions) and {len(labels)} labels; each step needs one"
    wrong = next(((at, label) for at, label in enumerate(labels, 1) if not _is_label(label)), None)
    return wrong and f"the label of step {wrong[0]} is {wrong[1]!r}, and one is true, false, 0.5 or null"


def prm800k(row: Mapping[str, Any]) -> Judged:
    """The solution that was followed, and each other try at one of its steps as an answer that ends there, in which
    only that step has its label: so every label counts once."""
    label = row["label"]
    try:
        judged = _judged(_solutions(label["steps"]))
        return replace(judged, reason=UNUSED.get(label.get("finish_reason"), judged.reason))
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        return Judged(reason=f"its label is not as PRM800K's are ({type(error).__name__}: {error})")


def _solutions(steps: Sequence[Mapping[str, Any]]) -> list[list[Step]]:
    followed: list[Step] = []
    others: list[list[Step]] = []
    for step in steps:
        tries = [_tried(one) for one in step["completions"] or []]
        chosen, by_hand = step["chosen_completion"], step["human_completion"]
        if chosen is None and by_hand is not None:
            text = by_hand["text"] if isinstance(by_hand, dict) else by_hand
            tries.insert(0, (whole_characters(text), RIGHT))
        at = chosen or 0  # where none was chosen the labelling ended: the first is the solution's own
        taken, rest = tries[at], [one for place, one in enumerate(tries) if place != at]
        before: list[Step] = [(text, None) for text, _ in followed]
        others += [[*before, one] for one in rest if one[0].strip() and one[1] is not None]
        followed.append(taken)
    return [followed, *others]


def _tried(completion: Mapping[str, Any]) -> Step:
    rating = completion["rating"]
    return whole_characters(completion["text"]), None if rating is None else RATINGS[rating]


def _judged(solutions: Sequence[Sequence[Step]]) -> Judged:
    first, *others = [labelled([text for text, _ in steps], [label for _, label in steps]) for steps in solutions]
    reason = None
    if not any(label is not None for steps in solutions for _, label in steps):
        reason = "none of its steps has a label"
    empty = next((at for at, (text, _) in enumerate(solutions[0], 1) if not text.strip()), None)
    if empty is not None:
        reason = f"step {empty} is empty"
    return Judged([_marked(first), *others], reason)


def _marked(answer: Answer) -> Answer:
    """The reward of a whole answer: good unless one of its steps is wrong."""
    good = float(WRONG not in answer.scores.values())
    return replace(answer, scores={**answer.scores, REWARD: good, PAIR: good})


def _is_label(label: object) -> bool:
    return label is None or (isinstance(label, (bool, int, float)) and math.isfinite(label) and float(label) in LABELS)
