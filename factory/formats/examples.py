"""Worked examples for a task: other tasks of the same table with their answers, the like of it first."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuneworks.factory.language import Language, language_of
from tuneworks.factory.record import Fact, Record
from tuneworks.factory.rouge import unicode_tokens

MOST_WORDS = 200
"""Most words of a task with its answer that is shown as an example."""

EXAMPLES = "examples"
"""The fact that names the records a prompt shows as examples, by their ids with spaces between."""


@dataclass(frozen=True, slots=True)
class Example:
    id: str
    task: str
    answer: str
    like: tuple[Fact, Fact]
    language: Language

    @property
    def key(self) -> str:
        return " ".join(self.task.split()).casefold()


def example_of(record: Record, answer: str) -> Example | None:
    """The record as an example, or None where it is a conversation, has no answer or is too long."""
    task = lone_task(record)
    if not task or not answer.strip() or len(unicode_tokens(f"{task} {answer}")) > MOST_WORDS:
        return None
    return Example(record.id, task.strip(), answer.strip(), likeness(record), language_of(task))


def lone_task(record: Record) -> str | None:
    """What is asked, where it is all that was said; what a system message says stands apart."""
    *before, last = record.prompt or (None,)
    alone = last is not None and last.role == "user" and all(m is not None and m.role == "system" for m in before)
    return last.content if last is not None and alone else None


def likeness(record: Record) -> tuple[Fact, Fact]:
    """Tasks with equal ones are alike: their kind, and whether they are classification."""
    return record.meta.get("kind", ""), record.meta.get("is_classification", False)


class Examples:
    """A pool to draw from, every task once."""

    def __init__(self, examples: Iterable[Example | None]) -> None:
        self._alike: dict[tuple[object, ...], list[Example]] = {}
        seen: set[str] = set()
        for example in examples:
            if example is not None and example.key not in seen:
                seen.add(example.key)
                for circle in _circles(example.language, example.like):
                    self._alike.setdefault(circle, []).append(example)

    def drawn(self, record: Record, count: int, rng: random.Random) -> list[Example]:
        """Up to `count` in the task's language: of its kind, then of its sort, then any; never the task itself."""
        task = lone_task(record) or ""
        taken: dict[str, Example] = {}
        own = " ".join(task.split()).casefold()
        for circle in _circles(language_of(task), likeness(record)):
            pool = self._alike.get(circle, [])
            # One more than can be needed for each that may not be taken again.
            for example in rng.sample(pool, min(len(pool), count + 1 + len(taken))):
                if len(taken) < count and example.key != own:
                    taken.setdefault(example.key, example)
        shown = list(taken.values())
        rng.shuffle(shown)
        return shown


def _circles(language: Language, like: tuple[Fact, Fact]) -> Sequence[tuple[object, ...]]:
    """From the tasks most alike to all of the language."""
    kind, is_classification = like
    return ("kind", language, kind, is_classification), ("sort", language, is_classification), ("all", language)
