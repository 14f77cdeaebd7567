"""Recipe: the YAML file a person writes, checked strictly; every mistake names its line and the fix."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.errors import RecipeError
from tuneworks.factory.generator import Generator
from tuneworks.factory.plugin import Plugin
from tuneworks.filters.filter import Filter
from tuneworks.pipelines import catalog
from tuneworks.pipelines.catalog import OptionError, build, nearest, option_error
from tuneworks.trainers.trainer import Trainer

DatasetName = Literal["sft", "preference", "quality"]
DATASETS: tuple[DatasetName, ...] = ("sft", "preference", "quality")
BUILTIN_FOLDER = Path(__file__).with_name("recipes")

Stage = Generator | Filter


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)


class Source(Section):
    """Where records come from, and what is done to them before they are mixed."""

    seeds: str | None = None
    """Seed tasks to make more from: `builtin` (English), `builtin-zh` (Chinese), or a JSON Lines file. Also `red-team`
    and `red-team-zh`, prompts that test an answer, and `documents` and `documents-zh`, short texts."""
    file: str | None = None
    """Records as they are: a .jsonl, .json, .parquet or .csv file of instructions, messages, prompts, preferences or
    documents."""
    stages: tuple[Stage, ...] = ()
    """Generators and filters, in order."""

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if (self.seeds is None) == (self.file is None):
            raise ValueError("a source has either seeds or a file; write one of them")
        return self


class Mix(Section):
    """How the sources are put together."""

    cap: int | None = Field(default=None, ge=1)
    """Most records for which one source counts; a source without a share gives no more, unless `size` asks for it."""
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Over 1, small sources count for more: a source's rate is min(scale x its records, cap) ** (1/temperature)."""
    scale: float = Field(default=1.0, gt=0, le=1e9)
    """What a source's records are multiplied by before the cap."""
    size: int | None = Field(default=None, ge=1)
    """Records of the mixture; as many as keep the rates when left out. None is taken twice."""
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    """Fixed shares of the mixture, by the name of the source; the others share out the rest by the rule."""

    @model_validator(mode="after")
    def _shares_add_up(self) -> "Mix":
        if sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError(f"the shares of mix add up to {sum(self.shares.values()):g}; lower them to 1 or less")
        return self


class Limits(Section):
    """What a run may use. The command line's --max-tokens and its like win over them."""

    tokens: int | None = Field(default=None, ge=1)
    """Most tokens, asked and answered, that models may use for this run in all its builds."""
    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most money that models may cost for this run in all its builds."""
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most hours that one build may ask models."""
    rows: int | None = Field(default=None, ge=1)
    """Most records that each generator takes, drawn by the seed, or makes towards its target: to try a recipe out."""


class Recipe(Section):
    """Everything a run does, in order: sources, mix, stages, datasets, training."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What the run's folder is called."""
    seed: int = Field(default=0, ge=0)
    """Every random choice follows from it."""
    engine: EngineOptions = Transformers()
    """Which model answers: smollm2, or {openai: {model: ..., base_url: ...}}."""
    sources: dict[str, Source] = Field(min_length=1)
    """Named sources of records."""
    mix: Mix = Mix()
    """How the sources are put together."""
    stages: tuple[Stage, ...] = ()
    """Generators and filters over the mixture, in order."""
    datasets: tuple[DatasetName, ...] = Field(default=DATASETS, min_length=1)
    """Which configurations are written under dataset/."""
    holdout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the records kept for the test split; all records of one instruction fall on the same side."""
    train: tuple[Trainer, ...] = ()
    """Trainings, in order."""
    limits: Limits = Limits()
    """What the run may use: tokens, usd, hours, rows. A build that reaches a limit stops and keeps all it has."""

    @property
    def every_stage(self) -> tuple[Stage, ...]:
        """Those of the sources and those over the mixture."""
        return (*(stage for source in self.sources.values() for stage in source.stages), *self.stages)

    @model_validator(mode="after")
    def _shares_are_of_sources(self) -> "Recipe":
        for name in self.mix.shares:
            if name not in self.sources:
                raise ValueError(f"mix gives a share to {name!r}, which is no source; {nearest(name, self.sources)}")
        return self

    @model_validator(mode="after")
    def _trains_on_what_is_written(self) -> "Recipe":
        for trainer in self.train:
            if trainer.rows not in self.datasets:
                raise ValueError(f"{trainer.kind} trains on the dataset {trainer.rows}; add it to datasets")
        return self


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


def written(recipe: Recipe) -> str:
    """The recipe as YAML with every default filled in: what a run keeps."""
    spelled = _spelled(recipe, lambda plugin: plugin.written())
    return str(yaml.safe_dump(spelled, sort_keys=False, allow_unicode=True, width=120))


def decides(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides what a run makes. An engine's pace and the limits may change on the way."""
    return {name: value for name, value in _spelled(recipe, lambda p: p.decides()).items() if name != "limits"}


def _spelled(recipe: Recipe, plugin: Callable[[Plugin], object]) -> dict[str, Any]:
    data: dict[str, Any] = recipe.model_dump(mode="json", exclude={"engine", "sources", "stages", "train"})
    data["engine"] = plugin(recipe.engine)
    data["sources"] = {
        name: {**_set(source), "stages": [plugin(stage) for stage in source.stages]}
        for name, source in recipe.sources.items()
    }
    data["stages"] = [plugin(stage) for stage in recipe.stages]
    data["train"] = [plugin(trainer) for trainer in recipe.train]
    return {name: data[name] for name in Recipe.model_fields}


def with_limits(recipe: Recipe, **given: float | None) -> Recipe:
    """The recipe with these limits (tokens, usd, hours, rows) in place of its own; None leaves one as it is."""
    wins = {name: value for name, value in given.items() if value is not None}
    return recipe.model_copy(update={"limits": recipe.limits.model_copy(update=wins)})


def _set(source: Source) -> dict[str, str]:
    return {k: v for k, v in (("seeds", source.seeds), ("file", source.file)) if v is not None}


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
