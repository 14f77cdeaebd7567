"""Which checkpoints are gone on from, and what a training's folder is cleared of."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuneworks.trainers.checkpoints import (
    clear,
    due,
    last_whole,
    mark_whole,
    seconds_until,
    step_of,
)
from tuneworks.trainers.plan import Plan, Split


def checkpoint(into: Path, step: int, whole: bool = True) -> Path:
    folder = into / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "optimizer.pt").touch()
    if whole:
        mark_whole(folder, 1.5)
    return folder


@pytest.mark.parametrize(
    ("waited", "cost", "then"), [(119, 0.0, False), (120, 0.0, True), (300, 10.0, False), (500, 10.0, True)]
)
def test_a_checkpoint_costs_little_of_the_time(waited: float, cost: float, then: bool) -> None:
    assert due(waited, cost) is then


def test_the_last_whole_one_is_gone_on_from(tmp_path: Path) -> None:
    assert last_whole(tmp_path / "nowhere") is None
    assert last_whole(tmp_path) is None
    checkpoint(tmp_path, 9)
    ten = checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 11, whole=False)
    assert last_whole(tmp_path) == ten
    assert (step_of(ten), seconds_until(ten)) == (10, 1.5)


def test_what_is_not_whole_goes_and_another_plan_starts_afresh(tmp_path: Path) -> None:
    plan = Plan("sft", {"args": {"max_steps": 2}}, 0, Split("a/train.parquet", 4, "11"), None, "")
    into = tmp_path / "out"
    clear(into, plan)
    plan.write(into)
    checkpoint(into, 10)
    checkpoint(into, 11, whole=False)
    (into / "cache").mkdir()
    (into / "failure.txt").touch()
    clear(into, plan)
    assert {path.name for path in into.iterdir()} == {"checkpoint-10", "plan.json"}
    clear(into, replace(plan, seed=1))
    assert {path.name for path in into.iterdir()} == {"plan.json"}
