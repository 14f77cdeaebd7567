"""The documentation is executed: every command, recipe and kind it shows exists and works."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
import yaml

from tuneworks.factory.record import Record, to_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines import catalog
from tuneworks.pipelines.cli import app
from tuneworks.pipelines.recipe import builtin_recipes, parse_recipe

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GROUP = typer.main.get_command(app)
assert isinstance(GROUP, typer.core.TyperGroup)
COMMANDS = GROUP.commands


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    for name, rest in re.findall(r"tuneworks ([a-z-]+)\b([^\n`|]*)", page.read_text()):
        if name in COMMANDS:
            parameters = COMMANDS[name].params
            known = {option for p in parameters for option in [*p.opts, *p.secondary_opts]}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"{page.name}: tuneworks {name}{rest}"


def test_the_readme_shows_every_command_kind_and_recipe() -> None:
    text = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"tuneworks {name}" in text, name
    for kind in catalog.kinds(*catalog.BUILT_IN):
        assert f"`{kind}`" in text, kind
    for name in builtin_recipes():
        assert f"`{name}`" in text, name


def test_the_readmes_recipe_is_good() -> None:
    (text,) = blocks(ROOT / "README.md", "yaml")
    recipe = parse_recipe(text, "README.md")
    assert set(yaml.safe_load(text)) <= set(type(recipe).model_fields)


def test_the_trainings_in_the_docs_are_good() -> None:
    texts = blocks(ROOT / "docs" / "training.md", "yaml")
    assert texts
    for text in texts:
        recipe = parse_recipe(f"name: docs\nsources: {{a: {{seeds: builtin}}}}\n{text}", "training.md")
        assert recipe.train
        for trainer in recipe.train:
            trainer.check()


def test_make_targets_shown_exist() -> None:
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    shown = re.findall(r"^    make ([a-z]+)", (ROOT / "README.md").read_text(), flags=re.M)
    assert shown and set(shown) <= set(rules)
    assert f"make {shown[1]}" in (ROOT / ".ci" / "run").read_text()


def test_the_plugin_in_the_docs_works() -> None:
    (code,) = blocks(ROOT / "docs" / "plugins.md", "python")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/plugins.md", "exec"), names)
    shouting = names["Shouting"](max_share=0.3)
    assert isinstance(shouting, Filter)
    table = to_table([Record.born("WHY IS THE SKY BLUE?"), Record.born("Why is the sky blue?")])
    reasons = shouting.reject(shouting.measure(table))
    assert reasons.dtype == pl.String and reasons.is_null().to_list() == [False, True]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
