"""Plan: everything that decides what a training leaves; and the marker that says a folder holds all of it.

`plan.json` is written first and is what the worker reads; `done.json` is written last and names the plan,
so that a folder with it is whole. A folder without it is gone on with from its last checkpoint.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import fingerprint
from tuneworks.factory.weights import SMOLLM2

PLAN, DONE = "plan.json", "done.json"

PHASES = "held_out.json"
"""In a dataset that is mixed in phases: the ids of the held-out records of each phase's sources."""

SUPERVISED = ("sft", "quality")
"""Kinds whose rows are prompts and completions that are to be learned."""

PRETRAINING = "pretraining"
"""The configuration of a dataset that holds plain text."""

READ_WHOLE = 1 << 20
"""Bytes. Of a model's larger files only the size is looked at."""


@dataclass(frozen=True, slots=True)
class Split:
    file: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """A training whose model this one begins from, at once or over others."""

    name: str
    file: str
    """Its held-out rows, of which it may have a part; empty where it has none."""
    split: str
    kind: str = ""
    train: Split | None = None
    turns: Literal["all", "last"] = "last"
    """Which turns of its rows it learned."""


@dataclass(frozen=True, slots=True)
class Plan:
    kind: str
    options: Mapping[str, Any]
    seed: int
    train: Split
    test: Split | None
    weights: str
    """Stands for the content of the model's folder; empty for a name."""
    earlier: tuple[Earlier, ...] = ()
    """The trainings before, the latest first."""
    texts: Split | None = None
    """The plain text of which a share is learned beside the rows."""
    processes: str = ""
    """Stands for accelerate's file, where one says how many processes train; empty for one."""

    @property
    def replayed(self) -> list[Earlier]:
        """The trainings before whose rows have a completion that this one could learn."""
        return [earlier for earlier in self.earlier if earlier.kind in SUPERVISED and earlier.train is not None]

    @property
    def key(self) -> str:
        """Equal for trainings that leave the same; where the files lie does not matter."""
        content = asdict(self)
        del content["earlier"]  # `weights` holds their plans
        if self.options.get("replay"):
            content["replayed"] = [asdict(earlier) for earlier in self.replayed]
            for earlier in content["replayed"]:
                del earlier["file"], earlier["train"]["file"]
        if self.texts is None:
            del content["texts"]
        if not self.processes:  # plans of before had neither
            del content["processes"]
            content["options"] = {name: value for name, value in self.options.items() if name != "accelerate"}
        if self.options.get("follows"):
            content["options"] = {name: value for name, value in content["options"].items() if name != "model"}
        for split in (content["train"], content["test"], content.get("texts")):
            if split is not None:
                del split["file"]
        return fingerprint(content)

    def write(self, into: Path) -> None:
        half = into / f"{PLAN}.part"
        half.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False), encoding="utf-8")
        half.rename(into / PLAN)

    @classmethod
    def read(cls, into: Path) -> "Plan":
        content = json.loads((into / PLAN).read_text(encoding="utf-8"))
        test = content.pop("test")
        train = Split(**content.pop("train"))
        texts = content.pop("texts", None)
        earlier = tuple(_earlier(one) for one in content.pop("earlier", ()))
        return cls(
            **content,
            train=train,
            test=Split(**test) if test else None,
            earlier=earlier,
            texts=Split(**texts) if texts else None,
        )


def _earlier(written: Mapping[str, Any]) -> Earlier:
    train = written.get("train")
    return Earlier(**{**written, "train": Split(**train) if train else None})


def is_trained(into: Path, plan: Plan) -> bool:
    """Whether `into` is whole and was trained by this plan."""
    try:
        done = json.loads((into / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(done, dict) and done.get("plan") == plan.key


def begun_from(follows: str, into: Path) -> tuple[Path, tuple[Earlier, ...]]:
    """The folder beside `into` of the training `follows`, and the trainings that led there; raises InputError when one
    of them is not whole."""
    place = into.parent / follows
    earlier: list[Earlier] = []
    name: str | None = follows
    while name is not None:
        folder = into.parent / name
        if not (folder / DONE).is_file():
            raise InputError(f"{into.name} begins from the model of {name}, and {folder} is not whole; train it first")
        plan = Plan.read(folder)
        held_out, turns = plan.test.file if plan.test else "", plan.options.get("turns", "last")
        earlier.append(Earlier(name, held_out, plan.options["split"], plan.kind, plan.train, turns))
        name = plan.options.get("follows")
    return place, tuple(earlier)


def is_begun(into: Path, plan: Plan) -> bool:
    """Whether a training by this plan was begun in `into`."""
    try:
        return Plan.read(into).key == plan.key
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return False


def mark_done(into: Path, plan: Plan) -> None:
    half = into / f"{DONE}.part"
    half.write_text(json.dumps({"plan": plan.key}), encoding="utf-8")
    half.rename(into / DONE)


def splits(dataset: Path, rows: str, columns: Sequence[str], split: str = "train") -> tuple[Split, Split | None]:
    """The split of the configuration `rows` to train on, and its held-out one where there is one with rows: for
    validation, else for tests. That of a phase holds the rows of its own sources."""
    file = dataset / rows / f"{split}.parquet"
    if not file.is_file():
        raise InputError(
            f"there is no {file} to train on; make the dataset {rows} first (datasets: [{rows}] in the recipe)"
        )
    train = _split(file, columns)
    if train.rows == 0:
        raise InputError(
            f"{train.file} has no rows to train on; see the report for why the records gave none, "
            "and make more records or loosen a filter"
        )
    held_out = [dataset / rows / f"{name}.parquet" for name in ("validation", "test")]
    test = next((_split(path, columns) for path in held_out if path.is_file()), None)
    ids = held_out_ids(test.file, split) if test else None
    if test and ids is not None:
        test = replace(test, rows=int(pl.read_parquet(test.file, columns=["id"])["id"].is_in(list(ids)).sum()))
    return train, test if test and test.rows else None


def plain_text(dataset: Path) -> Split:
    file = dataset / PRETRAINING / "train.parquet"
    if not file.is_file():
        raise InputError(
            f"there is no {file} to take plain text from; write pretraining: {{source: NAME}} in the recipe with a "
            "source of documents, or leave pretraining out of the training"
        )
    return _split(file, ("text",))


def unchanged(earlier: Earlier) -> None:
    """Raise InputError where the rows of a training are no longer those it was trained on."""
    assert earlier.train is not None
    file = Path(earlier.train.file)
    if not file.is_file() or _split(file, ("prompt", "completion")).sha256 != earlier.train.sha256:
        raise InputError(
            f"replay draws from the rows of {earlier.name}, and {file} is no longer what it was trained on; train "
            f"{earlier.name} again first"
        )


def held_out_ids(file: str, split: str) -> frozenset[str] | None:
    """The records among the held-out rows in `file` by which a training on `split` is watched; None for all."""
    phases = Path(file).parent.with_name(PHASES)
    if not phases.is_file():
        return None
    ids = json.loads(phases.read_text(encoding="utf-8")).get(split)
    return None if ids is None else frozenset(ids)


def weights_of(model: str) -> str:
    """A hash of what the folder `model` holds, empty when it is no folder.

    A folder that was trained again holds other metrics, so the names, the sizes and the small files tell
    it apart.
    """
    folder = Path(model).expanduser()
    if model == SMOLLM2 or not folder.is_dir():
        return ""
    hasher = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        size = file.stat().st_size
        hasher.update(f"{file.name}\0{size}\0".encode())
        if size <= READ_WHOLE:
            hasher.update(file.read_bytes())
    return hasher.hexdigest()


def _split(file: Path, columns: Sequence[str]) -> Split:
    try:
        frame = pl.scan_parquet(file)
        found = frame.collect_schema().names()
        rows = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet ({error}); make the dataset again") from error
    missing = [name for name in columns if name not in found]
    if missing:
        raise InputError(
            f"{file} has no column {missing[0]} (it has {', '.join(found)}); "
            f"rows to train on need {' and '.join(columns)}; make the dataset again, or name another folder"
        )
    with file.open("rb") as content:
        return Split(str(file), rows, hashlib.file_digest(content, "sha256").hexdigest())
