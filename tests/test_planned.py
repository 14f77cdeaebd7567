"""A training's plan in words, and the command that shows it."""

from pathlib import Path

import pytest
from proved_run import proved, tasks
from test_cli import run
from tiny_model import toy_records, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.rewards.function import Function
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.online import Grpo
from tuneworks.trainers.plan import mark_done
from tuneworks.trainers.sft import Sft


def test_what_would_be_trained_is_said(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(40), toy_records(8, 100))
    told = Sft(args={"learning_rate": 1e-4}).planned(data, tmp_path / "sft")
    assert told[0] == "trains smollm2 (lora)"
    assert told[1] == f"rows: 40 of {data}/sft/train.parquet, 8 held out"
    assert told[2] == "in one process; 60 steps of 2 rows on a CPU, or 15 of 8 on a GPU, before packing"
    assert told[3] == "args: learning_rate: 0.0001"
    assert "15 steps before packing" in Sft(args={"per_device_train_batch_size": 8}).planned(data, tmp_path / "x")[2]
    assert "in one process; 5 steps" in Sft(args={"max_steps": 5}).planned(data, tmp_path / "x")[2]
    (tmp_path / "r.py").write_text("def score(prompt, answer):\n    return 1.0\n")
    grpo = Grpo(reward=Function(file=str(tmp_path / "r.py")), n=8)
    assert "in one process; 30 steps before packing" in grpo.planned(data, tmp_path / "x")[2]


def test_what_is_done_and_what_it_waits_for_is_said(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(8))
    into = tmp_path / "models/sft"
    assert Dpo(follows="sft").planned(data, tmp_path / "models/dpo")[0] == (
        "trains what sft leaves (lora); it begins from a training that is not done yet"
    )
    into.mkdir(parents=True)
    mark_done(into, Sft().plan(data, 0, into))
    assert Sft().planned(data, into)[0] == "trains smollm2 (lora); it is trained already"


def test_a_plan_finds_every_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*train\.parquet"):
        Sft().planned(tmp_path, tmp_path / "out")
    with pytest.raises(RecipeError, match="takes no argument"):
        Sft(args={"max_step": 3}).planned(tmp_path, tmp_path / "out")


def test_a_dry_run_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proved(tmp_path / "runs/proved", tasks())
    recipe = tmp_path / "runs/proved/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("train: []", "train:\n- sft: {args: {max_steps: 3}}"))
    assert run(monkeypatch, "train", "proved", "--runs", str(tmp_path / "runs"), "--dry-run") == 0
    told = capsys.readouterr().out
    assert "trains smollm2 (lora)" in told and "3 steps" in told
    assert not (tmp_path / "runs/proved/models").exists()
