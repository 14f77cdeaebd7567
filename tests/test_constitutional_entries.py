"""Lists of named texts by language: every mistake names its entry and the fix."""

from pathlib import Path

import pytest

from tuneworks.factory.constitutional.entries import read_entries
from tuneworks.factory.errors import InputError

NAMES = ("id", "text")


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_lists_by_language(tmp_path: Path) -> None:
    path = write(tmp_path, "zh:\n  - {id: a, text: ' 甲 '}\n")
    assert read_entries(path, "list", NAMES) == {"zh": [{"id": "a", "text": "甲"}]}


def test_one_list_for_both(tmp_path: Path) -> None:
    entries = [{"id": "a", "text": "x"}]
    assert read_entries(write(tmp_path, "- {id: a, text: x}"), "list", NAMES) == {"en": entries, "zh": entries}
    assert read_entries(write(tmp_path, b"\xef\xbb\xbf[]"), "list", NAMES) == {"en": [], "zh": []}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the list .*list.yaml is no list; write a list of entries, or one under each of en and zh"),
        ("en", "is no list"),
        ("fr: []", "has lists for en and zh, and 'fr' is neither; rename or remove it"),
        ("en: {id: a}", "en of the list .* holds no list; write its entries as a list"),
        ("en:\n  - word", "entry 1 in en of the list .* is no mapping; write id, text, each with its text"),
        ("- {id: a, text: x}\n- {id: b}", r"entry 2 \(b\) in the list .* lacks text; add it"),
        ("- {id: a, txet: x}", r"entry 1 \(a\) in the list .* has 'txet', which is not known; did you mean 'text'\?"),
        ("- {id: a, text: x, 7: y}", "has '7', which is not known; there are: id, text"),
        ("- {id: no, text: x}", "id of entry 1 in the list .* is no text; write it in quotes"),
        ("- {id: a, text: '  '}", r"text of entry 1 \(a\) in the list .* is no text"),
        ("- [", "is not YAML text"),
        ("- 2001-02-31", "is not YAML text .*; correct it"),
        (b"- caf\xe9", "is not YAML text"),
    ],
)
def test_a_mistake_is_named(text: str | bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=complaint):
        read_entries(write(tmp_path, text), "list", NAMES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the list .*none.yaml cannot be read: No such file.*; correct its path"):
        read_entries(tmp_path / "none.yaml", "list", NAMES)
