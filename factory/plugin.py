"""A plugin is its options plus one verb: a frozen pydantic model with a docstring under every field.

The docstrings are the command line's help, the JSON Schema's descriptions and the reference in the docs.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationInfo

Spec = str | Mapping[str, Any]
"""How a plugin is written in a recipe: its name, or {name: {option: value}}."""

Build = Callable[[str, object, str], "Plugin"]
"""(family, spec, field) -> the plugin that the spec names; the catalog's, handed down as validation context."""


class Plugin(BaseModel):
    """Options of one kind of work. Unknown options are errors, and nothing changes after it was made."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        protected_namespaces=(),
    )

    kind: ClassVar[str]
    """The name a recipe writes."""

    family: ClassVar[str]
    """Which table of the catalog it belongs to."""

    @classmethod
    def nested(cls, value: object, info: ValidationInfo) -> Self:
        """Turn a spec inside another plugin's options into a plugin of this family."""
        if isinstance(value, cls):
            return value
        if not isinstance(info.context, dict) or "build" not in info.context:
            raise ValueError(f"give a {cls.family} object; names are for recipes")
        return cast(Self, cast(Build, info.context["build"])(cls.family, value, info.field_name or ""))

    def written(self) -> dict[str, Any]:
        """{kind: options}, every default filled in: the spec that makes this plugin again."""
        options: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            options[name] = value.written() if isinstance(value, Plugin) else value
        dumped = self.model_dump(mode="json", exclude={n for n, v in options.items() if isinstance(v, dict)})
        return {self.kind: {name: dumped.get(name, options[name]) for name in options}}
