"""Two recipes compared key by key: `sources.made.stages.rouge.max: 0.7 -> 0.6`."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuneworks.factory.errors import InputError


@dataclass(frozen=True, slots=True)
class Change:
    """`before` or `after` is None where that recipe does not have the key; values are written as JSON."""

    key: str
    before: str | None
    after: str | None


def changes(one: Path, other: Path) -> tuple[Change, ...]:
    """In the order of the keys, the first recipe's before those that only the second has."""
    before, after = dict(_flat(_read(one), ())), dict(_flat(_read(other), ()))
    keys = dict.fromkeys([*before, *after])
    return tuple(
        Change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    )  # fmt: skip


def _read(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"the recipe {path} is not YAML; put the one back that made the release") from error


def _flat(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Stages are told by their kind, so that one more does not rename all that follow."""
    inner = value if isinstance(value, dict) else _by_kind(value)
    if not inner:
        yield ".".join(path), json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
        return
    for name, held in inner.items():
        yield from _flat(held, (*path, str(name)))


def _by_kind(value: object) -> dict[str, Any] | None:
    """A list of stages or trainings, each a kind or a mapping of it to options; a second one of a kind is kind.2."""
    if not isinstance(value, list) or not any(isinstance(item, dict) for item in value):
        return None
    entries = [{item: {}} if isinstance(item, str) else item for item in value]
    if not all(isinstance(item, dict) and len(item) == 1 for item in entries):
        return None
    named: dict[str, Any] = {}
    seen = Counter[str]()
    for kind, options in (pair for item in entries for pair in item.items()):
        seen[kind] += 1
        named[f"{kind}.{seen[kind]}" if seen[kind] > 1 else kind] = options
    return named
