"""Rejection-sampling fine-tuning on a toy model: rounds, what is kept, killed in the middle, mistakes."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.rewards.function import Function
from tuneworks.trainers.nested import unpacked
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.sft import Sft

REWARD = """def score(prompt, answer):
    return sum(c == "7" for c in answer) / max(len(answer), 1)
"""

ARGS = {"max_steps": 12, "learning_rate": 5e-3, "per_device_train_batch_size": 8, "bf16": False}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and a model that ends its answers: one that learned good and bad ones a little."""
    folder = tmp_path_factory.mktemp("rounds")
    write_dataset(folder / "data", toy_records(20), toy_records(6, 100))
    tiny = build_tiny_model(folder / "tiny")
    args = {"max_steps": 60, "learning_rate": 5e-3, "per_device_train_batch_size": 8, "bf16": False}
    bad_too = write_dataset(folder / "mixed", [*toy_records(20), *swapped(20)])
    train_here(Sft(model=tiny, tuning="full", args=args), bad_too, folder / "model")
    (folder / "reward.py").write_text(REWARD)
    return folder


def swapped(count: int) -> list[Any]:
    from dataclasses import replace

    return [replace(record, answers=record.answers[1:]) for record in toy_records(count, 40)]


def trainer(place: Path, **options: Any) -> RejectionSampling:
    return RejectionSampling(
        **{"model": str(place / "model"), "reward": Function(file=str(place / "reward.py")), "tuning": "full",
           "rounds": 2, "n": 4, "max_tokens": 24, "args": ARGS} | options
    )  # fmt: skip


def train(one: RejectionSampling, place: Path, into: Path) -> list[str]:
    from tuneworks.trainers.stopping import Stopping

    plan = one.plan(place / "data", 0, into)
    into.mkdir(exist_ok=True)
    plan.write(into)
    said: list[str] = []
    type(one)(**unpacked(plan.options)).work(plan, into, said.append, Stopping())
    return said


def calls(into: Path) -> int:
    with sqlite3.connect(into / "journal.sqlite") as journal:
        return int(journal.execute("SELECT sum(times) FROM calls").fetchone()[0])


@pytest.mark.real
def test_each_round_keeps_the_best_of_all_and_the_reward_rises(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = train(trainer(place), place, out)
    metrics = json.loads((out / "metrics.json").read_text())
    first, second = metrics["rounds"]
    assert second["mean_reward"] > first["mean_reward"]
    assert second["kept_mean_reward"] >= first["kept_mean_reward"]
    assert metrics["held_out_reward"]["after"] > metrics["held_out_reward"]["before"]
    assert any(line.startswith("round 2: 80 answers with a mean reward of") for line in said)

    answers = pl.read_parquet(out / "round-2/answers.parquet")
    assert answers.height == 160 and set(answers["round"]) == {1, 2}
    usable = answers.filter(pl.col("why_not").is_null() | pl.col("why_not").str.starts_with("other answers"))
    for (_,), group in usable.group_by("id"):
        assert group.filter("kept")["reward"].to_list() == [group["reward"].max()]
    rows = pl.read_parquet(out / "round-2/dataset/sft/train.parquet")
    assert (
        rows["completion"].list.first().struct.field("content").to_list()
        == answers.filter("kept")
        .sort(pl.col("id").replace_strict({id: at for at, id in enumerate(rows["id"])}))["text"]
        .to_list()
    )
    assert answers.filter(~pl.col("kept"))["why_not"].null_count() == 0
    assert (out / "done.json").is_file() and (out / "model.safetensors").is_file() and (out / "masks.txt").is_file()
    assert not (out / "round-1/model").exists() and (out / "round-1/answers.parquet").is_file()
    Sft(model=str(out)).check()


@pytest.mark.real
def test_killed_anywhere_it_goes_on_and_no_answer_is_asked_twice(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tuneworks.trainers.rounds as rounds

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(trainer(place), place, whole)

    class Killed(Exception):
        pass

    done = rounds.fine_tune

    def second_dies(*given: Any) -> None:
        if "round-2" in str(given[2]):
            raise Killed
        done(*given)

    monkeypatch.setattr(rounds, "fine_tune", second_dies)
    with pytest.raises(Killed):
        train(trainer(place), place, broken)
    monkeypatch.undo()
    asked = calls(broken)
    said = train(trainer(place), place, broken)
    assert not any(line.startswith("step 1 of") for line in said[: said.index(next(s for s in said if "round 2" in s))])
    assert calls(broken) == calls(whole) == asked + 6  # the answers to held-out prompts after the second round
    for name in ("round-1/answers.parquet", "round-2/answers.parquet", "model.safetensors"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.real
def test_it_follows_an_adapter_merged_into_its_model(place: Path, tmp_path: Path) -> None:
    train_here(Sft(model=str(place / "model"), args={"max_steps": 1, "bf16": False}), place / "data", tmp_path / "sft")
    out = tmp_path / "rejection_sampling"
    options = {"model": "smollm2", "follows": "sft", "tuning": "lora", "rounds": 1, "n": 2, "args": {"max_steps": 1}}
    train(trainer(place, **options), place, out)
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "sft/merged")
    assert json.loads((out / "metrics.json").read_text())["rounds"][0]["answers"] == 40


@pytest.mark.real
def test_answers_that_cannot_be_trained_on(place: Path, tmp_path: Path) -> None:
    (tmp_path / "same.py").write_text("def score(prompt, answer):\n    return 1.0\n")
    same = trainer(place, reward=Function(file=str(tmp_path / "same.py")))
    with pytest.raises(InputError, match="the reward function gives all answers to a prompt the same"):
        train(same, place, tmp_path / "same")
    with pytest.raises(InputError, match=r"can be trained on \(.*it is cut off at 1 tokens.*raise max_tokens"):
        train(trainer(place, max_tokens=1), place, tmp_path / "cut")


def test_of_equals_the_earliest_is_kept() -> None:
    from tuneworks.trainers.rounds import best
    from tuneworks.trainers.written import Written

    written = [
        Written("b", 1, 0, "x", 1.0, None), Written("b", 1, 1, "y", 2.0, None), Written("a", 1, 0, "z", 5.0, "cut"),
        Written("b", 2, 0, "y", 2.0, None), Written("b", 2, 1, "w", 2.0, None), Written("a", 2, 0, "v", 0.5, None),
    ]  # fmt: skip
    assert [(one.id, one.text, one.round) for one in best(written, 1)] == [("b", "y", 1), ("a", "v", 2)]
    assert [one.text for one in best(written, 2)] == ["y", "w", "v"]


def test_mistakes_are_told_before_anything_starts(place: Path) -> None:
    with pytest.raises(ValidationError, match="would keep them all"):
        trainer(place, keep=8)
    with pytest.raises(RecipeError, match="cannot write answers with what tuning prefix"):
        trainer(place, tuning="prefix").check()
    with pytest.raises(RecipeError, match="takes no argument 'max_step'; did you mean max_steps"):
        trainer(place, args={"max_step": 4}).check()
