"""Examples: answers with a critique and a revision, shown to the model as earlier turns of the chat."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuneworks.factory.constitutional.entries import read_entries
from tuneworks.factory.language import Language

OURS = Path(__file__).with_name("examples.yaml")

NAMES = ("prompt", "answer", "critique_request", "critique", "revision_request", "revision")


@dataclass(frozen=True, slots=True)
class Example:
    """Where nothing is wrong the critique says so, and the revision is the answer."""

    prompt: str
    answer: str
    critique_request: str
    critique: str
    revision_request: str
    revision: str


Examples = Mapping[Language, tuple[Example, ...]]


def load_examples(file: str | None) -> Examples:
    """Ours, or the user's from a YAML file; an empty list shows none, and so does a language without a list."""
    path = OURS if file is None else Path(file).expanduser()
    return {
        language: tuple(Example(**entry) for entry in entries)
        for language, entries in read_entries(path, "examples file", NAMES).items()
    }
