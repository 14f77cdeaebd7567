"""Plugins among a training's options, such as a reward, on their way through plan.json to the process that trains."""

import importlib
from collections.abc import Mapping
from typing import Any

from tuneworks.factory.plugin import Plugin

CLASS, OPTIONS = "class", "options"


def packed(plugin: Plugin) -> dict[str, Any]:
    """Its options as JSON; a plugin or a tuple of them among these by class and options."""
    plain = plugin.model_dump(mode="json")
    return {name: _packed(getattr(plugin, name), plain[name]) for name in plain}


def unpacked(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _unpacked(value) for name, value in options.items()}


def _packed(value: object, plain: object) -> object:
    if isinstance(value, Plugin):
        kind = type(value)
        return {CLASS: f"{kind.__module__}:{kind.__qualname__}", OPTIONS: packed(value)}
    if isinstance(value, tuple) and any(isinstance(part, Plugin) for part in value):
        return [_packed(part, None) for part in value]
    return plain


def _unpacked(value: object) -> object:
    if isinstance(value, Mapping) and value.keys() == {CLASS, OPTIONS}:
        module, _, name = value[CLASS].partition(":")
        return getattr(importlib.import_module(module), name)(**unpacked(value[OPTIONS]))
    return tuple(map(_unpacked, value)) if isinstance(value, list) else value
