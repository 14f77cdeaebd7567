"""A plugin is its options plus one verb: a frozen pydantic model with a docstring under every field.

The docstrings are the command line's help, the JSON Schema's descriptions and the reference in the docs.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.fields import FieldInfo

Spec = str | Mapping[str, Any]
"""How a plugin is written in a recipe: its name, or {name: {option: value}}."""

Build = Callable[[str, object, str], "Plugin"]
"""(family, spec, field) -> the plugin that the spec names; the catalog's, handed down as validation context."""


class NamesFile:
    """Marks an option that names a file."""


File = Annotated[str, NamesFile()]
"""An option that names a file whose content decides, too, what comes out."""


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

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Options by the name of a preset. A recipe writes `preset: NAME`; options written beside it win."""

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, options: object) -> object:
        if not isinstance(options, Mapping) or not cls.presets or "preset" not in options:
            return options
        given = dict(options)
        name = given.pop("preset")
        if name not in cls.presets:
            close = get_close_matches(str(name), cls.presets, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(cls.presets)}"
            raise ValueError(f"{cls.kind} has no preset {name!r}; {hint}")
        return {**cls.presets[name], **given}

    def check(self) -> None:
        """Raise now what would fail later: a missing package, file, key or model. Asks no model and loads none."""
        for part in self.parts():
            part.check()

    def reads(self) -> tuple[str, ...]:
        """Files whose content decides what comes out: the options of the type File, and those of the parts."""
        own = (getattr(self, name) for name, option in type(self).model_fields.items() if _names_file(option))
        files = tuple(file for file in own if file is not None)
        return (*files, *(file for part in self.parts() for file in part.reads()))

    def parts(self) -> Iterator["Plugin"]:
        """The plugins among the options."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            yield from (v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Plugin))

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
        return self._spelled(Plugin.written)

    def decides(self) -> dict[str, Any]:
        """As `written`, with only those options that decide what comes out: while they stay the same, so does what was
        made. An engine's pace and patience are not among them."""
        return self._spelled(lambda part: part.decides())

    def _spelled(self, part: Callable[["Plugin"], object]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        made_of = {name: _spec(value, part) for name, value in values.items() if _holds_plugins(value)}
        plain = self.model_dump(mode="json", exclude=set(made_of))
        return {self.kind: {name: made_of[name] if name in made_of else plain[name] for name in values}}


def _names_file(option: FieldInfo) -> bool:
    """Pydantic takes the mark off `File` into the option's metadata, and leaves it on the one in `File | None`."""
    inside = [mark for kind in get_args(option.annotation) for mark in getattr(kind, "__metadata__", ())]
    return any(isinstance(mark, NamesFile) for mark in (*option.metadata, *inside))


def _holds_plugins(value: object) -> bool:
    return isinstance(value, Plugin) or (isinstance(value, tuple) and any(isinstance(v, Plugin) for v in value))


def _spec(value: object, part: Callable[[Plugin], object]) -> object:
    if isinstance(value, tuple):
        return [_spec(v, part) for v in value]
    return part(value) if isinstance(value, Plugin) else value
