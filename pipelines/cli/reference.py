"""Commands that say what there is: plugins, recipes, their schema, and how the methods stand to the published ones."""

import sys
from typing import Annotated

import typer

from tuneworks.pipelines import pages
from tuneworks.pipelines.cli.terminal import RecipeName, console, problems
from tuneworks.pipelines.conformance import checked, chosen, page
from tuneworks.pipelines.recipe import recipe_path
from tuneworks.pipelines.schema import json_schema


def kinds(kind: Annotated[str | None, typer.Argument(help="One kind, with all its options.")] = None) -> None:
    """List every plugin; name one to see its options."""
    pages.kinds(console, kind)


def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    sys.stdout.write(json_schema())


def recipe(name: RecipeName) -> None:
    """Print a recipe, built-in or a file, to read or to start from."""
    sys.stdout.write(recipe_path(name).read_text(encoding="utf-8"))


def conformance(
    method: Annotated[str | None, typer.Argument(help="One method, by the beginning of its name.")] = None,
) -> None:
    """Print, rule by rule, how the methods stand to the published ones, after running a check of every claim."""
    methods = chosen(method)
    sys.stdout.write(page(methods))
    found = checked(methods)
    for line in found.unchecked:
        problems.print(f"Not checked, for a package is missing: {line}", markup=False)
    for line in found.broken:
        problems.print(f"DOES NOT HOLD: {line}", markup=False)
    problems.print(f"{found.held} checks hold, {len(found.broken)} do not.")
    if found.broken:
        raise typer.Exit(1)
