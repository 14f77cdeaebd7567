"""Prompts: what a method says to a model, in every language it speaks, and a user's own words in their place.

A method keeps its prompts as one frozen dataclass of texts per language. Texts hold {places} for what is filled in;
every other brace is left as it is, so that a prompt may show JSON or code.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from tuneworks.factory.errors import InputError
from tuneworks.factory.language import Language

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    P = TypeVar("P", bound=DataclassInstance)
else:
    P = TypeVar("P")

_PLACE = re.compile(r"\{([a-z_]+)\}")


def filled(text: str, **values: str | int) -> str:
    """`text` with {name} replaced by each value; what stands in other braces, and in the values, stays as it is."""
    return _PLACE.sub(lambda m: str(values.get(m[1], m[0])), text)


def load_prompts(file: str | None, ours: Mapping[Language, P]) -> Mapping[Language, P]:
    """Our prompts, with the texts that the user's YAML file names in their place.

    The file is a mapping of names to texts, for both languages, or has such mappings under `en` and `zh`.
    """
    if file is None:
        return ours
    path = Path(file).expanduser()
    written = _read(path)
    by_language = set(written) <= set(ours)
    return {
        language: _replaced(prompts, written.get(language, {}) if by_language else written, path)
        for language, prompts in ours.items()
    }


def _read(path: Path) -> Mapping[str, Any]:
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"the prompts file {path} cannot be read: {error.strerror}; correct its path") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the prompts file {path} is not YAML text ({reason}); correct it") from error
    if not isinstance(written, Mapping) or not written:
        raise InputError(f"the prompts file {path} is no mapping; write NAME: text")
    return written


def _replaced(prompts: P, texts: object, path: Path) -> P:
    if not isinstance(texts, Mapping):
        raise InputError(f"the prompts file {path} has no mapping under a language; write NAME: text")
    ours = {f.name: text for f in fields(prompts) if isinstance(text := getattr(prompts, f.name), str)}
    for name, text in texts.items():
        if name not in ours:
            close = get_close_matches(str(name), ours, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(ours)}"
            raise InputError(f"the prompts file {path} names {str(name)!r}, which is no prompt here; {hint}")
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{name} in the prompts file {path} is no text; write it in quotes")
        missing = set(_PLACE.findall(ours[name])) - set(_PLACE.findall(text))
        if missing:
            places = ", ".join(f"{{{place}}}" for place in sorted(missing))
            raise InputError(f"{name} in the prompts file {path} lacks {places}; put it where the text belongs")
    return replace(prompts, **dict(texts))
