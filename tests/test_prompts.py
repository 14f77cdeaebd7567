"""Prompts: places are filled in, other braces stay, and a user's file takes the place of our words."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.factory.language import Language
from tuneworks.factory.prompts import filled, load_prompts


@dataclass(frozen=True)
class Words:
    ask: str
    leaks: tuple[str, ...]


OURS: dict[Language, Words] = {"en": Words("Do {task} now.", ("a",)), "zh": Words("请做{task}。", ("b",))}


def test_only_named_places_are_filled() -> None:
    text = 'Do {task} as {"task": {x}} and {other}.'
    assert filled(text, task="{n} {task}", n=3) == 'Do {n} {task} as {"task": {x}} and {other}.'


def test_without_a_file_the_words_are_ours() -> None:
    assert load_prompts(None, OURS) is OURS


def test_a_file_speaks_for_both_languages_or_for_one(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("ask: Please {task}")
    assert {w.ask for w in load_prompts(str(path), OURS).values()} == {"Please {task}"}
    path.write_text("zh:\n  ask: 做{task}")
    made = load_prompts(str(path), OURS)
    assert made["en"] == OURS["en"] and made["zh"] == Words("做{task}", ("b",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("aks: Do {task}", "names 'aks', which is no prompt here; did you mean 'ask'?"),
        ("ask: Do it", "lacks {task}; put it where the text belongs"),
        ("ask: 3", "ask in the prompts file .* is no text"),
        ("leaks: {task}", "names 'leaks'"),
        ("- ask", "is no mapping"),
        ("en: ask", "has no mapping under a language"),
        ("ask: [", "is not YAML text"),
        ("", "is no mapping"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_prompts(str(path), OURS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_prompts(str(tmp_path / "none.yaml"), OURS)
