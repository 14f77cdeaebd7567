"""Constitution: the principles an answer is criticised and revised by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuneworks.factory.constitutional.entries import read_entries
from tuneworks.factory.errors import InputError
from tuneworks.factory.language import Language

OURS = Path(__file__).with_name("constitution.yaml")


@dataclass(frozen=True, slots=True)
class Principle:
    id: str
    topic: str
    """What it is about, such as harmlessness; for people, no model sees it."""
    critique: str
    """The request for a critique."""
    revision: str
    """The request for a revision."""


Constitution = Mapping[Language, tuple[Principle, ...]]


def load_constitution(file: str | None) -> Constitution:
    """Ours, or the user's from a YAML file: lists under `en` and `zh`, or one list for both languages."""
    path = OURS if file is None else Path(file).expanduser()
    entries = read_entries(path, "constitution", ("id", "topic", "critique", "revision"))
    return {language: _principles([Principle(**e) for e in some], path) for language, some in entries.items()}


def _principles(principles: list[Principle], path: Path) -> tuple[Principle, ...]:
    if not principles:
        raise InputError(f"the constitution {path} has an empty list; write at least one principle in it")
    seen: set[str] = set()
    for number, principle in enumerate(principles, 1):
        if principle.id in seen:
            raise InputError(
                f"entry {number} of the constitution {path} has the id {principle.id!r}, as an earlier one; rename it"
            )
        seen.add(principle.id)
    return tuple(principles)
