"""Where a training's figures go beside its own files: trackers, where `report_to` under args names some. No torch."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuneworks.factory.errors import RecipeError

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "trackio": ("trackio",),
}
"""Trackers, and the packages of which each needs one."""

LOGS = "logs"
"""The folder, in a training's, for what tensorboard reads."""


def refuse_missing(args: Mapping[str, Any], kind: str) -> None:
    """Raise RecipeError for a tracker that is not installed, before anything starts."""
    for name in _named(args):
        packages = PACKAGES.get(name, ())
        if packages and not any(find_spec(package) for package in packages):
            raise RecipeError(
                f"{kind}: args: report_to {name} needs the package {packages[0]}; pip install {packages[0]}, or leave "
                "it out: metrics.jsonl in the training's folder has each logged step"
            )


def _named(args: Mapping[str, Any]) -> list[str]:
    named = args.get("report_to") or []
    return [named] if isinstance(named, str) else [str(one) for one in named]


def names(into: Path) -> dict[str, str]:
    """What trackers call the training: the run it belongs to, and its folder."""
    run = into.resolve().parent.parent.name
    return {"project": run or "tuneworks", "run_name": f"{run}/{into.name}" if run else into.name}
