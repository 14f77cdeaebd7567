"""Recipe: the YAML file a person writes."""

from tuneworks.pipelines.audit.limits import AuditLimits
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.recipe.reading import (
    BUILTIN_FOLDER,
    builtin_recipes,
    load_recipe,
    parse_recipe,
    recipe_path,
)
from tuneworks.pipelines.recipe.recipe import DATASETS, Recipe
from tuneworks.pipelines.recipe.sections import Holdout, Limits, Pretraining, Push, QualityPrompts, Source, Stage
from tuneworks.pipelines.recipe.writing import decides, with_limits, written

__all__ = [
    "BUILTIN_FOLDER",
    "DATASETS",
    "AuditLimits",
    "Holdout",
    "Limits",
    "Mix",
    "Pretraining",
    "Push",
    "QualityPrompts",
    "Recipe",
    "Source",
    "Stage",
    "builtin_recipes",
    "decides",
    "load_recipe",
    "parse_recipe",
    "recipe_path",
    "with_limits",
    "written",
]
