"""Checkpoints: what a killed training goes on from.

transformers writes a checkpoint file by file; the marker `whole.json` is put into it last, so that one that was cut off
in writing is never gone on from. This file loads no torch.
"""

import json
import shutil
from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.trainers.plan import PLAN, Plan, is_begun
from tuneworks.trainers.trackers import LOGS

WHOLE = "whole.json"
PREFIX = "checkpoint-"

HISTORY = "metrics.jsonl"
"""Each logged step, as it comes."""

STAYS = (PLAN, HISTORY, LOGS)
"""What a training that goes on finds in its folder beside checkpoints."""

KEPT = 2
"""The last is not whole until it is marked, so the one before it stays till then."""

SOONEST = 120.0
"""Seconds between two checkpoints at the least."""

SHARE = 0.02
"""The share of a training's time that may go into writing checkpoints: large ones are written less often."""


def due(waited: float, cost: float) -> bool:
    """Whether it is time for a checkpoint, `waited` seconds after the last one, which took `cost` seconds to write."""
    return waited >= max(SOONEST, cost / SHARE)


def mark_whole(checkpoint: Path, seconds: float) -> None:
    """`seconds` is how long the training has taken up to here, in all its parts."""
    half = checkpoint / f"{WHOLE}.part"
    half.write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
    half.rename(checkpoint / WHOLE)


def seconds_until(checkpoint: Path) -> float:
    return float(json.loads((checkpoint / WHOLE).read_text(encoding="utf-8"))["seconds"])


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(PREFIX))


def last_whole(into: Path) -> Path | None:
    """The latest checkpoint in the folder `into` that can be gone on from."""
    whole = [folder for folder in _checkpoints(into) if (folder / WHOLE).is_file()]
    return max(whole, key=step_of, default=None)


def remove_all(into: Path) -> None:
    for folder in _checkpoints(into):
        _remove(folder)


def clear(into: Path, plan: Plan) -> None:
    """Leave in `into` nothing but a plan, its whole checkpoints and the steps that were logged; what an older training
    left there goes, its plan last, so that a folder that is half cleared is still known for a training's."""
    if into.is_dir() and any(into.iterdir()) and not (into / PLAN).is_file():
        raise InputError(f"the folder {into} is not empty and no training wrote it; name a new folder")
    into.mkdir(parents=True, exist_ok=True)
    begun = is_begun(into, plan)
    if not begun:
        remove_all(into)
    for path in into.iterdir():
        if path.name in (STAYS if begun else (PLAN,)) or (path / WHOLE).is_file():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _remove(checkpoint: Path) -> None:
    (checkpoint / WHOLE).unlink(missing_ok=True)  # first: what is left of one that is half removed is not whole
    shutil.rmtree(checkpoint)


def _checkpoints(into: Path) -> list[Path]:
    found = into.glob(f"{PREFIX}*") if into.is_dir() else ()
    return [folder for folder in found if folder.is_dir() and folder.name.removeprefix(PREFIX).isdigit()]
