"""The two models that are compared: the one that is asked about, and what it began from."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneworks.factory.errors import InputError
from tuneworks.factory.weights import locate
from tuneworks.pipelines.run_folder import MODELS, RECIPE
from tuneworks.trainers.plan import DONE, PLAN, weights_of

SILENT = ("reward", "process")
"""Kinds of training whose model scores, and answers nothing."""

CONTROL = "control.json"


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    place: str
    """A folder, a Hub id, or smollm2."""
    controls: Mapping[str, Mapping[str, str]]
    """Of a model that learned to be asked for a quality in the system turn: the texts, by quality and language."""
    best: str = ""
    """The quality that it is asked for."""

    @property
    def weights(self) -> str:
        """Stands for what the model's folder holds; a folder that is trained again is another model."""
        return weights_of(self.place)


def contestants(model: str, against: str | None, run: Path | None) -> tuple[Contestant, Contestant]:
    """The model and what to compare it with; raises InputError or EngineUnavailable where either cannot be."""
    place = _place(model, run)
    locate(place)
    base = _place(against, run) if against is not None else _begun_from(place)
    locate(base)
    if _same(place, base):
        raise InputError(f"{model} would be compared with itself; name another model with --against")
    names = (_name(place), _name(base))
    if names[0] == names[1]:
        names = (place, base)
    return _contestant(place, names[0]), _contestant(base, names[1])


def run_of(model: str) -> Path | None:
    """The run in whose models the folder `model` lies."""
    folder = Path(model)
    inside = folder.is_dir() and folder.resolve().parent.name == MODELS
    run = folder.resolve().parent.parent
    return run if inside and (run / RECIPE).is_file() else None


def _place(model: str, run: Path | None) -> str:
    """A training of the run by its name; else as it is written. A folder of a training must be whole."""
    trained = run / MODELS / model if run is not None and "/" not in model else None
    place = str(trained) if trained is not None and trained.is_dir() else model
    folder = Path(place).expanduser()
    if (folder / PLAN).is_file():
        if not (folder / DONE).is_file():
            raise InputError(f"the training in {folder} is not finished; go on with it: tuneworks train")
        kind = _plan(folder)["kind"]
        if kind in SILENT:
            raise InputError(
                f"{folder} was trained by {kind}: it scores answers and gives none; how well is in its metrics.json"
            )
    return place


def _begun_from(place: str) -> str:
    folder = Path(place).expanduser()
    if (folder / PLAN).is_file():
        options = _plan(folder)["options"]
        follows = options.get("follows")
        return str(folder.parent / follows) if follows else str(options["model"])
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        return str(json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"])
    raise InputError(f"nothing says what {place} was trained from; name a model to compare it with: --against MODEL")


def _plan(folder: Path) -> Mapping[str, Any]:
    plan: Mapping[str, Any] = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    return plan


def _same(one: str, other: str) -> bool:
    first, second = Path(one).expanduser(), Path(other).expanduser()
    return one == other or (first.is_dir() and second.is_dir() and first.resolve() == second.resolve())


def _name(place: str) -> str:
    """The last part of a path, which a Hub id is as well."""
    return re.sub(r"[^\w.-]", "-", Path(place).name) or "model"


def _contestant(place: str, name: str) -> Contestant:
    file = Path(place).expanduser() / CONTROL
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if not any(isinstance(texts, Mapping) for texts in told.get("controls", {}).values()):
        return Contestant(name, place, {})  # a token asks, and the chat template has it
    by_quality: dict[str, dict[str, str]] = {}
    for language, texts in told["controls"].items():
        for quality, text in texts.items():
            by_quality.setdefault(quality, {})[language] = text
    return Contestant(name, place, by_quality, str(told["best"]))
