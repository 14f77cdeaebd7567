"""Trainings of a recipe that follow each other."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_model import WORDS, build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import RecipeError
from tuneworks.pipelines.cli import main
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.pipelines.recipe.trainings import model_names
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trainer import silent
from tuneworks.trainers.trl_trainer import TrlTrainer
from tuneworks.trainers.tuning import Tuning
from tuneworks.trainers.worker import KINDS

RECIPE = "name: r\nsources: {a: {seeds: builtin}}\ntrain:\n"


def test_folders_are_named_by_kind_and_numbered() -> None:
    assert model_names([Sft(), Dpo(), Sft(), Sft()]) == ["sft", "dpo", "sft-2", "sft-3"]


def test_a_training_follows_an_earlier_one_by_name() -> None:
    recipe = parse_recipe(RECIPE + "  - sft\n  - sft: {follows: sft}\n  - dpo: {follows: sft-2}\n", "r.yaml")
    assert [trainer.model_dump()["follows"] for trainer in recipe.train] == [None, "sft", "sft-2"]


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ("  - sft\n  - dpo: {follows: stf}\n", r"the training dpo follows no training 'stf'; did you mean 'sft'\?"),
        (
            "  - dpo: {follows: sft}\n  - sft\n",
            r"the training dpo stands before sft, which it follows; move it below",
        ),
        (
            "  - dpo\n  - sft: {follows: sft}\n",
            r"the training sft cannot follow itself; name one before it, or leave follows out",
        ),
        (
            "  - sft: {tuning: prompt}\n  - dpo: {follows: sft}\n",
            r"dpo cannot follow sft: what tuning prompt learns .* train sft with tuning: lora or full",
        ),
        (
            "  - sft: {tuning: bottleneck}\n  - dpo: {follows: sft}\n",
            r"dpo cannot follow sft: what tuning bottleneck learns bends .* train sft with tuning: lora or full",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused_as_the_recipe_is_read(train: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        parse_recipe(RECIPE + train, "r.yaml")


def record(question: str, good: str, bad: str) -> str:
    asked = [{"role": "user", "content": question}]
    said = [[{"role": "assistant", "content": answer}] for answer in (good, bad)]
    return json.dumps({"prompt": asked, "chosen": said[0], "rejected": said[1]})


STAGED = """name: staged
sources:
  words: {{file: words.jsonl}}
  digits: {{file: digits.jsonl}}
mix:
  phases:
    broad: {{sources: [words]}}
    talk: {{sources: [digits], replay: 0.2}}
holdout: 0.2
train:
  - sft: {{split: broad, model: {model}, args: &args {{max_steps: 20, learning_rate: 2e-2, bf16: false}}}}
  - sft: {{split: talk, follows: sft, args: *args}}
"""


def train_into(trainer: TrlTrainer, data: Path, into: Path) -> None:
    from tuneworks.trainers.session import train

    into.mkdir()
    plan = trainer.plan(data, 0, into)
    plan.write(into)
    train(KINDS[plan.kind](**plan.options), plan, into, silent)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tuneworks", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.real
def test_two_phases_one_after_the_other_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [record(f"Say {w} twice, {n}.", f"{w} {w}", "no") for w in WORDS for n in range(3)]
    digits = [record(f"What comes after {n}, please?", f"{n + 1}", "no idea") for n in range(30)]
    Path("words.jsonl").write_text("\n".join(words) + "\n")
    Path("digits.jsonl").write_text("\n".join(digits) + "\n")
    model = build_tiny_model(tmp_path / "model")
    Path("r.yaml").write_text(STAGED.format(model=model))
    assert run(monkeypatch, "build", "r.yaml") == 0
    out = capsys.readouterr().out
    models = tmp_path / "runs/staged/models"
    first, second = (json.loads((models / name / "metrics.json").read_text()) for name in ("sft", "sft-2"))

    assert "held_out_loss_of_earlier" not in first
    told: dict[str, Any] = second["held_out_loss_of_earlier"]["sft"]
    assert f"held-out loss of sft: {told['before']:.4f} before this training, {told['after']:.4f} after" in out
    assert told["after"] > told["before"] + 0.05
    assert second["held_out_loss_after"] < second["held_out_loss_before"] - 0.1
    counts = [json.loads((models / n / "manifest.json").read_text())["data"]["test"]["rows"] for n in ("sft", "sft-2")]
    assert sum(counts) == 12
    assert run(monkeypatch, "train", "staged") == 0
    assert capsys.readouterr().out.count("is already trained from these rows") == 2


@pytest.mark.real
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_dpo_begins_from_the_merged_model_of_the_training_before(tuning: Tuning, tmp_path: Path) -> None:
    """At ln 2, and what is saved is an adapter on the merged model, or the whole."""
    data = write_dataset(tmp_path / "data", toy_records(16), toy_records(8, 100))
    args = {"max_steps": 8, "learning_rate": 1e-2, "per_device_train_batch_size": 8, "bf16": False}
    first, second, third = (tmp_path / name for name in ("sft", "dpo", "sft-2"))
    train_here(Sft(model=build_tiny_model(tmp_path / "model"), args=args), data, first)
    train_into(Dpo(follows="sft", tuning=tuning, args=args), data, second)
    train_into(Sft(follows="dpo", tuning="ia3", args={**args, "max_steps": 1}), data, third)

    sft, dpo, last = (json.loads((folder / "metrics.json").read_text()) for folder in (first, second, third))
    assert dpo["step_zero_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert dpo["held_out_loss_of_earlier"]["sft"]["before"] == pytest.approx(sft["held_out_loss_after"], rel=0.02)
    assert [*last["held_out_loss_of_earlier"]] == ["dpo", "sft"]
    of_sft = last["held_out_loss_of_earlier"]["sft"]["before"]
    assert of_sft == pytest.approx(dpo["held_out_loss_of_earlier"]["sft"]["after"], abs=1e-3)
    assert (first / "merged").is_dir() == (tuning == "lora")
    if tuning == "lora":
        base = json.loads((second / "adapter_config.json").read_text())["base_model_name_or_path"]
        assert base == str(first / "merged")
