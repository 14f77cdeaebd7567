"""Entries: a list of named texts for each language, from YAML. A constitution and its examples are written so."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from tuneworks.factory.errors import InputError
from tuneworks.factory.language import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")

Entry = Mapping[str, str]


def read_entries(path: Path, what: str, names: Sequence[str]) -> dict[Language, list[Entry]]:
    """The entries of a file, each with exactly the texts of `names`; raises InputError that names the entry.

    The file has lists under `en` and `zh`, either of which may be missing, or is one list for both languages.
    """
    owner = f"the {what} {path}"
    written = _read(path, owner)
    if isinstance(written, list):
        both = list(_entries(written, names, owner))
        return dict.fromkeys(LANGUAGES, both)
    if not isinstance(written, Mapping) or not written:
        raise InputError(f"{owner} is no list; write a list of entries, or one under each of en and zh")
    unknown = next((key for key in written if key not in LANGUAGES), None)
    if unknown is not None:
        raise InputError(f"{owner} has lists for en and zh, and {unknown!r} is neither; rename or remove it")
    return {
        language: list(_entries(written[language], names, f"{language} of {owner}"))
        for language in LANGUAGES
        if language in written
    }


def _read(path: Path, owner: str) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{owner} cannot be read: {error.strerror}; correct its path") from error
    except (ValueError, yaml.YAMLError) as error:  # bytes that are no text, or a date that cannot be
        reason = " ".join(str(error).split())
        raise InputError(f"{owner} is not YAML text ({reason}); correct it") from error


def _entries(written: object, names: Sequence[str], owner: str) -> Iterator[Entry]:
    if not isinstance(written, list):
        raise InputError(f"{owner} holds no list; write its entries as a list")
    for number, entry in enumerate(written, 1):
        yield _entry(entry, names, f"entry {number}", owner)


def _entry(entry: object, names: Sequence[str], place: str, owner: str) -> Entry:
    if not isinstance(entry, Mapping):
        raise InputError(f"{place} in {owner} is no mapping; write {', '.join(names)}, each with its text")
    if isinstance(entry.get("id"), str):
        place = f"{place} ({entry['id']})"
    for name in entry:
        if name not in names:
            close = get_close_matches(str(name), names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"
            raise InputError(f"{place} in {owner} has {str(name)!r}, which is not known; {hint}")
    for name in names:
        if name not in entry:
            raise InputError(f"{place} in {owner} lacks {name}; add it")
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise InputError(f"{name} of {place} in {owner} is no text; write it in quotes")
    return {name: entry[name].strip() for name in names}
