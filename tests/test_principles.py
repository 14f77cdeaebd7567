"""The packaged comparison principles, and a user's own."""

from pathlib import Path

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.factory.language import language_of
from tuneworks.factory.rlaif.principles import CHINESE, ENGLISH, load_principles


def test_there_are_enough_in_both_languages_and_no_two_are_alike() -> None:
    assert len(ENGLISH) == len(CHINESE) == len(set(ENGLISH)) == len(set(CHINESE)) >= 16
    assert {language_of(text) for text in ENGLISH} == {"en"}
    assert {language_of(text) for text in CHINESE} == {"zh"}
    assert all(text.startswith("Which answer ") and text.endswith("?") for text in ENGLISH)
    assert all(text.startswith("哪个回答") and text.endswith("？") for text in CHINESE)


def test_a_users_list_serves_both_languages(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("- Which answer is kinder?\n- ' Which one rhymes? '\n")
    mine = ("Which answer is kinder?", "Which one rhymes?")
    assert load_principles(str(file)) == {"en": mine, "zh": mine}


def test_a_users_lists_by_language(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("zh:\n- 哪个回答更好？\n")
    assert load_principles(str(file)) == {"en": ENGLISH, "zh": ("哪个回答更好？",)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no list; write one question a line"),
        ("Which answer is kinder?", "holds no list"),
        ("[]", "holds no list"),
        ("- Which?\n- 3", "principle 2 in .* is no text; write it in quotes"),
        ("- ''", "principle 1 in .* is no text"),
        ("fr: [Laquelle]", "other names than en and zh"),
        ("{}", "other names than en and zh"),
        ("en: x", "holds no list"),
        ("- [", "is not YAML text"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        load_principles(str(file))


def test_a_missing_file() -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml cannot be read: .*; correct its path"):
        load_principles("nowhere.yaml")
