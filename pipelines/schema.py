"""The JSON Schema of recipes, put together from the plugins' own: editors complete and check with it."""

import inspect
import json
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from tuneworks.factory.plugin import Plugin
from tuneworks.pipelines import catalog
from tuneworks.pipelines.recipe import (
    AuditLimits,
    Holdout,
    Limits,
    Mix,
    Pretraining,
    Push,
    QualityPrompts,
    Recipe,
    Source,
)
from tuneworks.trainers.rows import VIEWS


def json_schema() -> str:
    definitions: dict[str, Any] = {}
    for _, plugins in catalog.families():
        for kind, plugin in plugins.items():
            definitions[_name(kind, plugin)] = _options(plugin)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Tuneworks recipe",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "sources"],
        "properties": _recipe(),
        "$defs": definitions,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _recipe() -> dict[str, Any]:
    stages = _list(_specs(*catalog.STAGES))
    text = {"type": "string"}
    described = {
        n: {**(stages if n == "stages" else text), "description": " ".join((f.description or "").split())}
        for n, f in Source.model_fields.items()
    }
    source = {"type": "object", "additionalProperties": False, "properties": described}
    share = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    shapes: dict[str, Any] = {
        "name": {"type": "string"},
        "seed": {"type": "integer", "minimum": 0},
        "engine": {"anyOf": [{"type": "string"}, *_specs("engines")]},
        "sources": {"type": "object", "additionalProperties": source, "minProperties": 1},
        "mix": Mix.model_json_schema(),
        "stages": stages,
        "datasets": {"type": "array", "items": {"enum": list(VIEWS)}, "minItems": 1},
        "quality": QualityPrompts.model_json_schema(),
        "holdout": {"anyOf": [share, Holdout.model_json_schema()]},
        "pretraining": Pretraining.model_json_schema(),
        "train": _list(_specs("trainers")),
        "audit": AuditLimits.model_json_schema(),
        "limits": Limits.model_json_schema(),
        "push": {"anyOf": [text, Push.model_json_schema()]},
    }
    return {n: {**shapes[n], "description": f.description} for n, f in Recipe.model_fields.items()}


def _list(specs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "items": {"anyOf": specs}}


PRESET = "Options by a name; those written beside it win."


def _specs(*families: str) -> list[dict[str, Any]]:
    """A plugin's name alone, or an object with the name as its one key."""
    table = catalog.kinds(*families)
    named = [
        {
            "type": "object",
            "properties": {kind: {"anyOf": [{"$ref": f"#/$defs/{_name(kind, plugin)}"}, {"type": "null"}]}},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind, plugin in table.items()
    ]
    return [{"enum": list(table)}, *named]


def _name(kind: str, plugin: type[Plugin]) -> str:
    """The kind, and its family where another has one of that name."""
    several = sum(kind in plugins for _, plugins in catalog.families()) > 1
    return f"{kind}_{plugin.family}" if several else kind


def _options(plugin: type[Plugin]) -> dict[str, Any]:
    """A plugin's options with their descriptions and defaults."""
    preset = {"preset": {"enum": list(plugin.presets), "description": PRESET}} if plugin.presets else {}
    return {
        "type": "object",
        "description": inspect.getdoc(plugin) or "",
        "properties": {**preset, **{name: _option(field) for name, field in plugin.model_fields.items()}},
        "required": [name for name, field in plugin.model_fields.items() if field.is_required()],
        "additionalProperties": False,
    }


def _option(field: FieldInfo) -> dict[str, Any]:
    """One option; a plugin, or a list of them, takes specs of its family. Bounds stand beside the type in a field."""
    described = {"description": " ".join((field.description or "").split())}
    for plugin in (field.annotation, *get_args(field.annotation)):
        if isinstance(plugin, type) and issubclass(plugin, Plugin):
            one = {"anyOf": _specs(plugin.family)}
            many = get_origin(field.annotation) is tuple
            return {**({"type": "array", "items": one} if many else one), **described}
    bounded: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    schema = TypeAdapter(bounded).json_schema()
    default = {} if field.is_required() else {"default": field.get_default(call_default_factory=True)}
    return {**schema, **described, **default}
