"""Reading a recipe: a YAML file, checked strictly; every mistake names its line and the fix."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.plugin import Plugin
from tuneworks.pipelines import catalog
from tuneworks.pipelines.catalog import OptionError, build, nearest, option_error
from tuneworks.pipelines.recipe.recipe import Recipe
from tuneworks.pipelines.recipe.sections import Source
from tuneworks.pipelines.section import Section

BUILTIN_FOLDER = Path(__file__).parent.with_name("recipes")


def load_recipe(name: str) -> Recipe:
    """A recipe from a file, or a built-in one by its name."""
    path = recipe_path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}; name another file") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"the recipe {path} is not UTF-8 text; save it as UTF-8") from error
    return parse_recipe(text, str(path))


def recipe_path(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if name in builtin_recipes():
        return BUILTIN_FOLDER / f"{name}.yaml"
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise RecipeError(f"there is no file {name}; write one with: tuneworks init {name}")
    hint = nearest(name, tuple(builtin_recipes()))
    raise RecipeError(f"there is no recipe {name!r}, neither a file nor built in; {hint}")


def builtin_recipes() -> list[str]:
    return sorted(path.stem for path in BUILTIN_FOLDER.glob("*.yaml"))


def parse_recipe(text: str, where: str) -> Recipe:
    """Raises RecipeError that begins with the file and, where one is known, the line."""
    try:
        lines: dict[catalog.Path, int] = {}
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _note_lines(node, (), lines)
        return _recipe(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}{_mark(error)}: this is not YAML: {_problem(error)}; correct it") from error
    except OptionError as error:
        raise RecipeError(f"{where}{_line(error.path, lines)}: {error.sentence}") from error


def _recipe(data: object) -> Recipe:
    if not isinstance(data, Mapping):
        raise OptionError((), "a recipe is a mapping that begins with name and sources; see: tuneworks init")
    fields = dict(data)
    if fields.get("engine") is not None:
        fields["engine"] = build(("engines",), fields["engine"], ("engine",))
    if isinstance(fields.get("sources"), Mapping):
        fields["sources"] = {str(n): _source(s, ("sources", n)) for n, s in fields["sources"].items()}
    if "stages" in fields:
        fields["stages"] = _plugins(catalog.STAGES, fields["stages"], ("stages",))
    if "train" in fields:
        fields["train"] = _plugins(("trainers",), fields["train"], ("train",))
    try:
        return Recipe.model_validate({k: v for k, v in fields.items() if v is not None})
    except ValidationError as error:
        raise _section_error(error, (), "the recipe", Recipe) from error


def _source(data: object, path: catalog.Path) -> Source:
    if not isinstance(data, Mapping):
        raise OptionError(path, "a source is a mapping with seeds or file, and stages")
    fields = dict(data)
    if "stages" in fields:
        fields["stages"] = _plugins(catalog.STAGES, fields["stages"], (*path, "stages"))
    try:
        return Source.model_validate({k: v for k, v in fields.items() if v is not None})
    except ValidationError as error:
        raise _section_error(error, path, f"the source {path[-1]}", Source) from error


def _plugins(families: tuple[str, ...], specs: object, path: catalog.Path) -> list[Plugin]:
    if specs is None:
        return []
    if not isinstance(specs, list):
        raise OptionError(path, f"{path[-1]} is a list; begin each entry with '- '")
    return [build(families, spec, (*path, at)) for at, spec in enumerate(specs)]


def _section_error(error: ValidationError, path: catalog.Path, owner: str, section: type[Section]) -> OptionError:
    if any(e["loc"] for e in error.errors()):
        return option_error(error, path, owner, tuple(_options(section)))
    return OptionError(path, str(error.errors()[0]["msg"]).removeprefix("Value error, "))


def _options(section: type[Section]) -> Iterator[str]:
    """The options of a section, those of sections inside it by their path: mix.cap."""
    for name, option in section.model_fields.items():
        yield name
        if isinstance(option.annotation, type) and issubclass(option.annotation, Section):
            yield from (f"{name}.{inner}" for inner in option.annotation.model_fields)


def _note_lines(node: yaml.Node, path: catalog.Path, lines: dict[catalog.Path, int]) -> None:
    """The line of every key and list entry; a key written twice is a mistake that YAML itself forgives."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at = (*path, key.value)
            twice = at in lines
            lines[at] = key.start_mark.line + 1
            if twice:
                raise OptionError(at, f"{key.value} is written twice; remove one")
            _note_lines(value, at, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, index), lines)


def _line(path: catalog.Path, lines: Mapping[catalog.Path, int]) -> str:
    while path and path not in lines:
        path = path[:-1]
    return f", line {lines[path]}" if path in lines else ""


def _mark(error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f", line {mark.line + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return (error.problem if isinstance(error, yaml.MarkedYAMLError) else None) or str(error)
