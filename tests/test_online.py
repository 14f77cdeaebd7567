"""GRPO and RLOO on a toy model: its answers get the reward they are trained for, and it resumes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError, TuneworksError
from tuneworks.factory.judge import Judge
from tuneworks.factory.rewards.function import Function
from tuneworks.trainers.online import Grpo, Online, Rloo

ASCII = """def score(prompt, answer):
    return sum(c.isascii() for c in answer) / max(len(answer), 1)
"""

ARGS = {
    "max_steps": 12, "learning_rate": 1e-2, "max_completion_length": 12, "per_device_train_batch_size": 32,
    "gradient_accumulation_steps": 1, "bf16": False, "lr_scheduler_type": "constant",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("online")
    write_dataset(folder / "data", toy_records(24), toy_records(6, 100))
    build_tiny_model(folder / "model")
    (folder / "reward.py").write_text(ASCII)
    return folder


def trainer(kind: type[Online], place: Path, **options: Any) -> Online:
    return kind(
        **{"model": str(place / "model"), "reward": Function(file=str(place / "reward.py")), "tuning": "full",
           "n": 8, "args": ARGS} | options
    )  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("kind", [Grpo, Rloo])
def test_the_reward_rises(kind: type[Online], place: Path, tmp_path: Path) -> None:
    said = train_here(trainer(kind, place), place / "data", tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["last_reward"] > metrics["first_reward"] + 0.05
    held = metrics["held_out_reward"]
    assert held["prompts"] == 6 and held["difference"] == pytest.approx(held["after"] - held["before"])
    assert metrics["steps"] == 12 and len(metrics["log"]) == 12
    assert any(line.startswith("step 12 of 12: loss") and "reward" in line for line in said)
    assert (tmp_path / "out/done.json").is_file() and (tmp_path / "out/model.safetensors").is_file()
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["reload_max_difference"] < 1e-3 and "tokens_in_loss" not in manifest


@pytest.mark.real
def test_an_adapter_learns_from_rewards_and_is_gone_on_with(place: Path, tmp_path: Path) -> None:
    args = ARGS | {"max_steps": 3, "save_strategy": "steps", "save_steps": 2, "save_total_limit": 2}
    grpo = trainer(Grpo, place, tuning="lora", args=args)
    train_here(grpo, place / "data", tmp_path / "whole")
    assert (tmp_path / "whole/adapter_model.safetensors").is_file()
    from tuneworks.trainers.session import train

    out = tmp_path / "whole"
    assert (out / "checkpoint-2/whole.json").is_file()
    (out / "done.json").unlink()
    said: list[str] = []
    train(grpo, grpo.plan(place / "data", 0), out, said.append)
    assert any("going on at step 2 of 3" in line for line in said)


@pytest.mark.real
def test_a_reward_that_tells_nothing_is_said(place: Path, tmp_path: Path) -> None:
    (tmp_path / "same.py").write_text("def score(prompt, answer):\n    return 1.0\n")
    (tmp_path / "broken.py").write_text("def score(prompt, answer):\n    return 1 / 0\n")
    few = ARGS | {"max_steps": 1}
    same = trainer(Grpo, place, reward=Function(file=str(tmp_path / "same.py")), args=few)
    said = train_here(same, place / "data", tmp_path / "out")
    assert any("all answers to a prompt had the same reward" in line for line in said)
    broken = trainer(Grpo, place, reward=Function(file=str(tmp_path / "broken.py")), args=few)
    with pytest.raises(TuneworksError, match="the reward function can tell of none of 32 answers"):
        train_here(broken, place / "data", tmp_path / "broken")
    long = trainer(Grpo, place, args=few | {"max_completion_length": 990})
    with pytest.raises(InputError, match="prompts are longer than 34 tokens, and 1024 are what the model reads"):
        train_here(long, place / "data", tmp_path / "long")


def test_mistakes_are_told_before_anything_starts(place: Path) -> None:
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"args": {"num_generations": 4}}, "num_generations is the option n of grpo"),
        ({"args": {"per_device_train_batch_size": 6, "gradient_accumulation_steps": 1}}, "args ask for 6 answers at a"),
        ({"tuning": "prompt"}, "grpo: the model cannot write answers with what tuning prompt"),
        ({"reward": Judge()}, "grpo: a judge asks a model"),
        ({"args": {"max_length": 4}}, "takes no argument 'max_length'"),
    ]
    for options, words in mistakes:
        with pytest.raises(RecipeError, match=words):
            trainer(Grpo, place, **options).check()
    trainer(Grpo, place, args={"generation_batch_size": 16}).check()
