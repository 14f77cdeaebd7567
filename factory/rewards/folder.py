"""What a reward model's config.json tells about it, read without loading anything."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.step_tokens import PROCESS, SIGNS
from tuneworks.factory.weights import locate

LABELS = 2
"""How many labels transformers takes a configuration to have that does not say."""


def read_config(model: str) -> Mapping[str, Any] | None:
    """The configuration of a model in a folder; None where it lies on the Hub. Raises where no such model can be."""
    file = Path(locate(model)) / "config.json"
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{file} cannot be read ({error}); get the model anew or name another") from error
    if not isinstance(config, dict):
        raise RecipeError(f"{file} is no configuration; get the model anew or name another")
    return config


HEADS = ("SequenceClassification",)


def require_head(model: str, config: Mapping[str, Any], heads: tuple[str, ...] = HEADS) -> None:
    """Raise for a model without a trained head: transformers would make one up, and its scores would be noise."""
    names = [str(name) for name in config.get("architectures") or []]
    if names and not any(head in name for name in names for head in heads):
        raise no_head(model, f"it is a {names[0]}")


def no_head(model: str, why: str) -> RecipeError:
    return RecipeError(
        f"the model {model} has no trained classification head ({why}); name a reward model or a classifier"
    )


def labels_of(config: Mapping[str, Any]) -> dict[int, str]:
    named = config.get("id2label")
    if isinstance(named, dict) and named:
        return {int(at): str(label) for at, label in named.items()}
    return {at: f"LABEL_{at}" for at in range(int(config.get("num_labels", LABELS)))}


def column(labels: Mapping[int, str], label: str | int | None, model: str) -> int:
    """Which output is the reward; raises where `label` does not say, or where there is nothing to choose."""
    listed = ", ".join(f"{at} ({name})" for at, name in sorted(labels.items()))
    if len(labels) == 1:
        if label is not None:
            raise RecipeError(f"the model {model} has one output and no labels to choose from; leave label out")
        return 0
    if label is None:
        raise RecipeError(f"the model {model} has {len(labels)} labels; say which is the good one with label: {listed}")
    found = [at for at, name in labels.items() if label in (at, name)] or [
        at for at, name in labels.items() if str(label).casefold() == name.casefold()
    ]
    if len(found) != 1:
        raise RecipeError(f"the model {model} has no label {label!r}; there are: {listed}")
    return found[0]


def require_process(model: str, config: Mapping[str, Any]) -> None:
    """Raise for a model that never learned to judge steps: it would give numbers all the same."""
    if config.get(PROCESS) != SIGNS:
        raise RecipeError(
            f"the model {model} was not trained to judge steps (its config.json has no {PROCESS}); "
            "name a folder that the trainer process left"
        )
