"""The names a configuration class of TRL, transformers or PEFT takes, read from the installed source.

Importing TRL takes ten seconds and loads torch; a recipe is checked in milliseconds by reading the
annotated fields of the dataclass and of those it inherits from. Where a release moved the file, the class
is imported after all.
"""

import ast
import dataclasses
import difflib
import importlib
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuneworks.factory.errors import RecipeError

SOURCES: Mapping[str, str] = {
    "SFTConfig": "trl/trainer/sft_config.py",
    "DPOConfig": "trl/trainer/dpo_config.py",
    "KTOConfig": "trl/trainer/kto_config.py",
    "RewardConfig": "trl/trainer/reward_config.py",
    "GRPOConfig": "trl/trainer/grpo_config.py",
    "RLOOConfig": "trl/trainer/rloo_config.py",
    "_BaseConfig": "trl/trainer/base_config.py",
    "TrainingArguments": "transformers/training_args.py",
    "LoraConfig": "peft/tuners/lora/config.py",
    "AdaLoraConfig": "peft/tuners/adalora/config.py",
    "IA3Config": "peft/tuners/ia3/config.py",
    "PromptTuningConfig": "peft/tuners/prompt_tuning/config.py",
    "PrefixTuningConfig": "peft/tuners/prefix_tuning/config.py",
    "PromptEncoderConfig": "peft/tuners/p_tuning/config.py",
    "PromptLearningConfig": "peft/config.py",
    "PeftConfig": "peft/config.py",
    "PeftConfigMixin": "peft/config.py",
    "BottleneckConfig": "tuneworks/factory/bottleneck.py",
}

SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def check_names(written: Mapping[str, Any], config: str, place: str) -> None:
    """Raise a RecipeError for the first name in `written` that the class `config` does not take."""
    known = known_names(config)
    for name in written:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            package = SOURCES[config].split("/")[0]
            hint = f"did you mean {close[0]}?" if close else f"see {config} in the documentation of {package}"
            raise RecipeError(f"{place}: {package} {version(package)} takes no argument {name!r}; {hint}")


def known_names(config: str) -> list[str]:
    try:
        return sorted(set(_fields(config)))
    except (OSError, LookupError):
        found = getattr(importlib.import_module(SOURCES[config].split("/")[0]), config)
        return sorted(field.name for field in dataclasses.fields(found))


def _fields(config: str) -> Iterator[str]:
    package, _, inside = SOURCES[config].partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise LookupError(package)
    tree = ast.parse((Path(spec.origin).parent / inside).read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for statement in classes[config].body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id
    for base in classes[config].bases:
        if isinstance(base, ast.Name) and base.id in SOURCES:
            yield from _fields(base.id)


def with_numbers(written: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with texts like "2e-4" as numbers: YAML reads a number without a point as text."""
    return {
        name: float(value) if isinstance(value, str) and SCIENTIFIC.fullmatch(value) else value
        for name, value in written.items()
    }
