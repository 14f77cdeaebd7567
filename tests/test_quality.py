"""Quality-conditioned fine-tuning."""

import json
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
import torch
from tiny_model import build_tiny_model, ranked_records, seed_records, toy_records, train_here, write_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.judge import Judge
from tuneworks.factory.rewards.combined import Combined
from tuneworks.factory.rewards.function import Function
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.rows import Levels, quality_view

pytestmark = pytest.mark.real


LONG = """
def score(prompt, answer):
    return -abs(answer.count(" ") - 1)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(("control", "steps"), [("text", 160), ("token", 80)])
def test_the_control_steers_the_toy_model(
    control: Literal["text", "token"], steps: int, model: str, tmp_path: Path
) -> None:
    data = write_dataset(tmp_path / "data", toy_records(40), toy_records(12, 100))
    args = {
        "max_steps": steps,
        "learning_rate": 4e-3,
        "lr_scheduler_type": "constant",
        "bf16": False,
        "per_device_train_batch_size": 16,
        "logging_steps": 10,
    }
    (tmp_path / "reward.py").write_text(LONG)
    reward = Function(file=str(tmp_path / "reward.py"))
    trainer = Quality(model=model, tuning="full", control=control, reward=reward, args=args)
    said = train_here(trainer, data, tmp_path / "out")
    steering = json.loads((tmp_path / "out/metrics.json").read_text())["steering"]
    good, bad = steering["nll"]["good_answer"], steering["nll"]["bad_answer"]
    assert good["good_control"] < good["bad_control"]
    assert bad["bad_control"] < bad["good_control"]
    assert steering["diagonal_wins"]
    assert steering["gap"] == pytest.approx(good["bad_control"] - good["good_control"])
    assert steering["gap"] > 0.5
    assert steering["answers_that_differ"] > 0.5
    # "red red" has one space, "7 3 9" two: the reward tells the two sorts of answers apart.
    assert 0 < steering["reward"]["low"] <= steering["reward"]["difference"] <= steering["reward"]["high"]
    samples = (tmp_path / "out/samples.txt").read_text()
    assert samples.count("ASKED FOR GOOD") == steering["answered"] == steering["reward"]["prompts"] == 11
    assert "ASKED FOR BAD\n7 3 9\n" in samples
    assert any(line.startswith("held-out: a good answer is +") for line in said)
    assert any(line.startswith("function: answers asked for as good score +") for line in said)


@pytest.mark.parametrize("tuning", ["lora", "dora", "full"])
def test_with_tokens_a_whole_model_is_left_that_asks_for_the_best(
    tuning: Literal["lora", "dora", "full"], model: str, tmp_path: Path
) -> None:
    data = write_dataset(tmp_path / "data", toy_records(8), toy_records(4, 100))
    args = {"max_steps": 2, "learning_rate": 1e-2, "bf16": False}
    train_here(Quality(model=model, tuning=tuning, control="token", args=args), data, tmp_path / "out")
    assert json.loads((tmp_path / "out/manifest.json").read_text())["reload_max_difference"] < 1e-3
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    good, bad = tokenizer.convert_tokens_to_ids(["<|quality_good|>", "<|quality_bad|>"])
    assert loaded.get_input_embeddings().weight.shape[0] == len(tokenizer) > max(good, bad)
    assert not torch.equal(loaded.get_input_embeddings().weight[good], loaded.get_input_embeddings().weight[bad])
    asked = [{"role": "user", "content": "Say red."}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    assert ids[-1] == good
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, control="<|quality_bad|>")["input_ids"]
    assert ids[-1] == bad
    assert good not in tokenizer.apply_chat_template(asked)["input_ids"]
    told = json.loads((tmp_path / "out/control.json").read_text())
    assert (told["best"], told["controls"]["bad"]) == ("good", "<|quality_bad|>")


def test_a_token_stands_before_the_answer_and_is_not_learned(model: str, tmp_path: Path) -> None:
    view = quality_view(Levels(uncontrolled=0))
    (tmp_path / "quality").mkdir()
    rows = pl.DataFrame(list(view.rows(toy_records(8))), schema=view.schema)
    rows.write_parquet(tmp_path / "quality/train.parquet")
    train_here(Quality(model=model, control="token", args={"max_steps": 1, "bf16": False}), tmp_path, tmp_path / "out")
    shown = [line.strip() for line in (tmp_path / "out/masks.txt").read_text().splitlines()[2:]]
    assert shown[0].startswith("not learned") and "Give a" not in shown[0]
    assert shown[0].endswith('assistant\\n<|quality_good|>"')
    assert shown[1] == 'in the loss  "red red<|im_end|>\\n"'


def test_levels_are_learned_and_scored_each_under_each(model: str, tmp_path: Path) -> None:
    view = quality_view(Levels(4, "rank", 0.0, edges={"": [4.0, 6.0, 8.0]}))
    for split, records in (("train", ranked_records(8)), ("test", ranked_records(4, 100))):
        (tmp_path / "data/quality").mkdir(parents=True, exist_ok=True)
        rows = pl.DataFrame(list(view.rows(records)), schema=view.schema)
        rows.write_parquet(tmp_path / f"data/quality/{split}.parquet")
    said = train_here(Quality(model=model, args={"max_steps": 2, "bf16": False}), tmp_path / "data", tmp_path / "out")
    steering = json.loads((tmp_path / "out/metrics.json").read_text())["steering"]
    assert list(steering["nll"]) == ["1_answer", "2_answer", "3_answer", "4_answer"]
    assert list(steering["nll"]["1_answer"]) == ["1_control", "2_control", "3_control", "4_control"]
    assert "  answer            1        2        3        4" in said
    told = json.loads((tmp_path / "out/control.json").read_text())
    assert told["controls"]["en"]["4"] == "Give the answer that ranks 1 of 4."


def test_of_hindsight_both_answers_are_learned(model: str, tmp_path: Path) -> None:
    view = quality_view(Levels(uncontrolled=0, hindsight=True))
    rows = pl.DataFrame(list(view.rows(toy_records(3))), schema=view.schema)
    hindsight = rows.filter(pl.col("quality").str.contains("after"))
    assert hindsight.height == 3
    (tmp_path / "quality").mkdir()
    hindsight.write_parquet(tmp_path / "quality/train.parquet")
    train_here(Quality(model=model, args={"max_steps": 1, "bf16": False}), tmp_path, tmp_path / "out")
    learned = [line for line in (tmp_path / "out/masks.txt").read_text().splitlines() if "in the loss  " in line]
    first = hindsight["prompt"][0][2]["content"]
    second = hindsight["completion"][0][0]["content"]
    assert [line.strip() for line in learned] == [f'in the loss  "{text}<|im_end|>\\n"' for text in (first, second)]
    with pytest.raises(InputError, match="rows of hindsight ask in words"):
        train_here(Quality(model=model, control="token", args={"bf16": False}), tmp_path, tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"control": "token", "tuning": "ia3"}, "tuning ia3 cannot learn new tokens"),
        ({"control": "token", "bits": 4}, "leave bits out"),
        ({"reward": Judge()}, "a judge asks a model"),
        ({"reward": Combined(rewards=(Judge(), Function(file="nowhere.py")))}, "a judge asks a model"),
        ({"reward": Function(file="nowhere.py")}, "there is no file nowhere.py"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        Quality(**options).check()


def test_without_held_out_records_steering_is_not_measured(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(8))
    model = build_tiny_model(tmp_path / "model")
    said = train_here(Quality(model=model, args={"max_steps": 1}), data, tmp_path / "out")
    assert json.loads((tmp_path / "out/metrics.json").read_text())["steering"] is None
    assert said[-1].startswith("no held-out record has a good and a bad answer")
    assert not (tmp_path / "out/samples.txt").exists()


@pytest.mark.timeout(240)
def test_the_real_model_learns(tmp_path: Path) -> None:
    records = seed_records(10)
    data = write_dataset(tmp_path / "data", records[:8], records[8:])
    args = {"max_steps": 4, "learning_rate": 1e-3}
    train_here(Quality(args=args), data, tmp_path / "out")
    steering = json.loads((tmp_path / "out/metrics.json").read_text())["steering"]
    assert 0 < steering["records"] <= 2
    # A shuffled text is far less likely than the same words in order, whatever is asked for.
    assert steering["nll"]["bad_answer"]["good_control"] > steering["nll"]["good_answer"]["good_control"] + 1
    assert "ASKED FOR GOOD" in (tmp_path / "out/samples.txt").read_text()
