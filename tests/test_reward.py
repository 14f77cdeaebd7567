"""Reward models: every loss falls, tells good answers from bad ones it has not seen, and loads back to its scores."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from scripted_line import ScriptedLine
from silent import Silent
from tiny_model import WORDS, build_tiny_model, ranked_records, seed_records, toy_records, train_here, write_dataset

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.rewards.classifier import Classifier
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.pipelines.run import build
from tuneworks.pipelines.run_folder import opened
from tuneworks.trainers.reward import Loss, Reward
from tuneworks.trainers.sft import Sft

ARGS: dict[str, Any] = {
    "max_steps": 20,
    "learning_rate": 1e-2,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "bf16": False,
}
AT_ZERO = {"pairwise": math.log(2), "all_pairs": math.log(2), "plackett_luce": math.log(24)}


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), ranked_records(24), ranked_records(8, 100))


def test_the_configuration_follows_the_loss() -> None:
    assert Reward().rows == "preference"
    assert {Reward(loss=loss).rows for loss in ("all_pairs", "plackett_luce", "mse")} == {"ranked"}


def test_a_recipe_must_write_what_the_loss_trains_on() -> None:
    text = "name: a\nsources: {mine: {seeds: builtin}}\ndatasets: [preference]\ntrain: [{reward: {loss: LOSS}}]\n"
    assert parse_recipe(text.replace("LOSS", "pairwise"), "r.yaml").train[0].rows == "preference"
    with pytest.raises(RecipeError, match="reward trains on the dataset ranked; add it to datasets"):
        parse_recipe(text.replace("LOSS", "mse"), "r.yaml")


def test_rows_without_the_needed_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ranked").mkdir()
    pl.DataFrame({"prompt": ["a"], "completions": [["b"]]}).write_parquet(tmp_path / "ranked/train.parquet")
    with pytest.raises(InputError, match=r"has no column rewards .* need prompt and completions and rewards"):
        Reward(loss="mse").plan(tmp_path, 0)


@pytest.mark.real
@pytest.mark.parametrize(
    ("loss", "tuning"),
    [("pairwise", "lora"), ("all_pairs", "lora"), ("plackett_luce", "lora"), ("mse", "lora"), ("all_pairs", "full")],
)
def test_every_loss_learns_to_tell_good_from_bad(
    loss: Loss, tuning: Literal["lora", "full"], model: str, data: Path, tmp_path: Path
) -> None:
    trainer = Reward(model=model, loss=loss, margin=0, tuning=tuning, args=ARGS)
    train_here(trainer, data, tmp_path / "out")
    metrics, manifest = read(tmp_path / "out/metrics.json"), read(tmp_path / "out/manifest.json")
    if loss in AT_ZERO:
        assert metrics["step_zero_loss"] == pytest.approx(AT_ZERO[loss], rel=1e-5)
    assert metrics["last_loss"] < 0.7 * metrics["step_zero_loss"]
    assert metrics["held_out_loss_after"] < 0.7 * metrics["held_out_loss_before"]
    assert metrics["held_out_accuracy"] >= 0.95
    assert manifest["reload_max_difference"] <= 1e-3
    assert (manifest["rows"], manifest["rows_dropped"]) == (24, 0)
    assert manifest["tokens_in_loss"] == 24 * (2 if loss == "pairwise" else 4)  # a score an answer
    assert (manifest["peft"] or {}).get("task_type") == ("SEQ_CLS" if tuning == "lora" else None)
    assert read(tmp_path / "out/config.json")["architectures"] == ["LlamaForSequenceClassification"]
    assert not (tmp_path / "out/adapter_config.json").exists()


@pytest.fixture(scope="module")
def trained(model: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("trained") / "out"
    train_here(Reward(model=model, args={**ARGS, "max_length": 512}), data, into)
    return into


@pytest.mark.real
def test_a_pair_has_the_loss_of_trl_with_its_margin(trained: Path, data: Path, tmp_path: Path) -> None:
    """And a reward model that is trained further goes on from where it was."""
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    files = {split: str(data / f"preference/{split}.parquet") for split in ("train", "test")}
    rows = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    reference = RewardTrainer(
        model=str(trained),
        args=RewardConfig(str(tmp_path / "trl"), report_to="none", bf16=False, use_cpu=True, disable_tqdm=True),
        train_dataset=rows["train"],
        eval_dataset=rows["test"],
        processing_class=AutoTokenizer.from_pretrained(trained),
    )
    wanted = reference.evaluate()["eval_loss"]
    further = Reward(model=str(trained), args={**ARGS, "max_steps": 1})
    train_here(further, data, tmp_path / "further")
    assert rows["test"]["margin"][0] == 6.0
    assert read(tmp_path / "further/metrics.json")["held_out_loss_before"] == pytest.approx(wanted, abs=1e-5)
    assert read(trained / "metrics.json")["held_out_loss_after"] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.real
def test_the_first_loss_follows_the_margins(trained: Path) -> None:
    metrics = read(trained / "metrics.json")
    assert metrics["step_zero_loss"] == pytest.approx(math.log(1 + math.exp(6.0)), rel=1e-4)
    assert metrics["last_loss"] < 0.7 * metrics["first_loss"]


@pytest.mark.real
@pytest.mark.parametrize("tied", [True, False])
def test_the_language_model_is_kept_by_the_regulariser(tied: bool, data: Path, tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model", tied=tied)
    args = {**ARGS, "max_steps": 15}
    trainer = Reward(model=model, loss="all_pairs", tuning="full", lm_weight=0.5, args=args)
    train_here(trainer, data, tmp_path / "out")
    metrics, manifest = read(tmp_path / "out/metrics.json"), read(tmp_path / "out/manifest.json")
    train_here(Sft(model=model, args={**args, "max_steps": 1}), data, tmp_path / "sft")
    alone = read(tmp_path / "sft/metrics.json")["log"][0]["loss"]
    first, last = metrics["log"][0], metrics["log"][-1]
    assert first["loss"] == pytest.approx(first["rank_loss"] + 0.5 * first["lm_loss"], rel=1e-4)
    assert first["lm_loss"] == pytest.approx(alone, abs=0.1)  # other rows, the same model and kind of answer
    assert last["lm_loss"] < first["lm_loss"] - 0.3
    assert last["rank_loss"] < first["rank_loss"]
    best = len("red red red") + 2
    assert manifest["tokens_in_loss"] == 24 * 4 + read(tmp_path / "sft/manifest.json")["tokens_in_loss"] - 24
    assert manifest["tokens_in_loss"] > 24 * (3 + best)


@pytest.mark.real
def test_rewards_are_standardised_and_the_scale_is_kept(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Reward(model=model, loss="mse", args={**ARGS, "max_steps": 1}), data, tmp_path / "out")
    scale = {"mean": 7.0, "deviation": pytest.approx(math.sqrt(5))}  # of 10, 8, 6 and 4
    metrics = read(tmp_path / "out/metrics.json")
    assert metrics["reward_scale"] == scale
    assert read(tmp_path / "out/config.json")["reward_scale"] == scale
    assert metrics["step_zero_loss"] == pytest.approx(1.0)


@pytest.mark.real
def test_rankings_with_an_answer_that_does_not_fit_are_left_out_and_counted(model: str, tmp_path: Path) -> None:
    answers = [Answer("red", scores={"reward": 1.0}), Answer("7 " * 75, scores={"reward": 0.0})]
    long = Record.born("Say red.", answers=answers)
    data = write_dataset(tmp_path / "data", [long, *toy_records(9)], [long])
    args = {**ARGS, "max_steps": 1, "max_length": 150}
    train_here(Reward(model=model, loss="plackett_luce", args=args), data, tmp_path / "out")
    manifest = read(tmp_path / "out/manifest.json")
    assert (manifest["rows"], manifest["rows_truncated"], manifest["rows_dropped"]) == (10, 1, 1)
    assert read(tmp_path / "out/metrics.json")["held_out_loss_after"] is None
    data = write_dataset(tmp_path / "more", [long, long, *toy_records(3)])
    with pytest.raises(InputError, match=r"2 of 5 rows in .* are longer than max_length 150"):
        train_here(Reward(model=model, loss="plackett_luce", args=args), data, tmp_path / "again")


class Guessing(ScriptedLine):
    """Repeats the word asked for, or says digits."""

    def open(self) -> Scripted:
        def reply(request: Request) -> str | Completion:
            word = next(word for word in WORDS if word in request.messages[-1].content)
            right = (request.seed or 0) % 4
            return " ".join([word] * right + ["7" * len(word)] * (3 - right))

        return Scripted(reply)


@pytest.mark.real
def test_it_is_the_classifier_of_a_recipe(trained: Path, tmp_path: Path) -> None:
    """best_of_n keeps what the trained model scores highest, by the scores that training ended with."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tasks = [{"prompt": f"Say {word} thrice, number {at + 200}."} for at, word in enumerate(WORDS)]
    (tmp_path / "tasks.jsonl").write_text("\n".join(json.dumps(task) for task in tasks))
    recipe = parse_recipe(
        f"name: scored\nsources: {{mine: {{file: {tmp_path / 'tasks.jsonl'}}}}}\n"
        f"stages: [{{best_of_n: {{n: 4, reward: {{classifier: {{model: {trained}}}}}}}}}]\n"
        "holdout: 0\ndatasets: [ranked]\n",
        "r.yaml",
    ).model_copy(update={"engine": Guessing()})
    with opened(recipe, tmp_path / "run", False):
        asyncio.run(build(recipe, tmp_path / "run", Silent()))
    rows = pl.read_parquet(tmp_path / "run/dataset/ranked/train.parquet").to_dicts()
    assert rows
    tokenizer: Any = AutoTokenizer.from_pretrained(trained)
    scorer = AutoModelForSequenceClassification.from_pretrained(trained)
    for row in rows:
        assert row["rewards"] == sorted(row["rewards"], reverse=True)
        for answer, reward in zip(row["completions"], row["rewards"], strict=True):
            text = tokenizer.apply_chat_template(row["prompt"] + answer, tokenize=False)
            with torch.inference_mode():
                again = float(scorer(torch.tensor([tokenizer(text)["input_ids"]])).logits)
            assert reward == pytest.approx(again, abs=1e-5)


@pytest.mark.real
@pytest.mark.timeout(240)
def test_the_real_model_becomes_a_reward_model(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", seed_records(8))
    args = {"max_steps": 6, "learning_rate": 2e-3, "per_device_train_batch_size": 2}
    train_here(Reward(loss="plackett_luce", lm_weight=0.1, args=args), data, tmp_path / "out")
    metrics, manifest = read(tmp_path / "out/metrics.json"), read(tmp_path / "out/manifest.json")
    assert metrics["step_zero_rank_loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert metrics["log"][-1]["rank_loss"] < 0.5
    assert 0.3 < metrics["log"][0]["lm_loss"] < 5
    assert manifest["reload_max_difference"] <= 1e-3
    asyncio.run(_classified(tmp_path / "out"))


async def _classified(model: Path) -> None:
    record = seed_records(1)[0]
    good, bad = await Classifier(model=str(model)).scores(record, record.answers, Scripted(lambda _: ""))
    assert isinstance(good, dict) and isinstance(bad, dict)
    assert good["reward"] > bad["reward"]
