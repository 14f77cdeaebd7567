"""Process rewards: the model learns a rule of steps, finds the first error, and scores answers with it in a recipe."""

import asyncio
import json
import random
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from scripted_line import ScriptedLine
from silent import Silent
from tiny_model import WORDS, build_tiny_model, save_tokenizer, train_here, write_dataset

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, InputError, RecipeError
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.rewards.process import By
from tuneworks.factory.rewards.process import Process as ProcessReward
from tuneworks.factory.steps import Apart, labelled
from tuneworks.pipelines.pages import look
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.pipelines.run import build
from tuneworks.pipelines.run_folder import opened
from tuneworks.trainers.process import Process
from tuneworks.trainers.reward import MERGED

ARGS: dict[str, Any] = {
    "max_steps": 60,
    "learning_rate": 5e-3,
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 16,
    "bf16": False,
}
FISH = Record.born("Name colours.")


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def worked(number: int, neutral: bool = False) -> Record:
    """A step is right when it says a word, and wrong when it says digits; one in three is wrong."""
    rng = random.Random(number)
    labels = [float(rng.random() > 0.33) for _ in range(rng.randint(2, 4))]
    steps = [rng.choice(WORDS) if label else str(rng.randint(100, 999)) for label in labels]
    if neutral:
        steps, labels = [*steps, "so"], [*labels, 0.5]
    return Record.born(f"Name colours, number {number}.", answers=[labelled(steps, labels)])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train, test = [worked(n) for n in range(200)], [worked(1000 + n) for n in range(40)]
    return write_dataset(tmp_path_factory.mktemp("data"), train, test)


@pytest.fixture(scope="module")
def trained(model: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("trained") / "out"
    train_here(Process(model=model, tuning="full", args=ARGS), data, into)
    return into


@pytest.mark.real
def test_it_learns_the_rule_and_says_what_its_accuracy_is_worth(trained: Path) -> None:
    metrics, manifest = read(trained / "metrics.json"), read(trained / "manifest.json")
    found = metrics["held_out_steps"]
    assert found["accuracy"] >= 0.95 and found["balanced_accuracy"] >= 0.95
    assert 0.5 < found["majority_share"] < 0.8
    assert found["first_error"]["accuracy"] >= 0.9
    assert found["first_error"]["answers"] == 40
    assert metrics["held_out_loss_after"] < 0.5 * metrics["held_out_loss_before"]
    labels = sum(len(worked(n).answers[0].scores) for n in range(200))
    assert (manifest["tokens_in_loss"], manifest["rows"], manifest["rows_dropped"]) == (labels, 200, 0)
    assert manifest["reload_max_difference"] <= 1e-3
    assert not (trained / "adapter_config.json").exists()
    assert read(trained / "config.json")["process_reward"] == {"tag": "?", "good": "+", "bad": "-"}


@pytest.mark.real
def test_only_the_verdicts_are_in_the_loss(trained: Path) -> None:
    lines = (trained / "masks.txt").read_text().splitlines()[2:]
    said = [json.loads(line[line.index('"') :]) for line in lines if line.startswith("  in the loss")]
    scores = worked(0).answers[0].scores
    assert said == ["+" if scores[f"step {at}"] else "-" for at in range(1, len(scores) + 1)]


def scores(reward: ProcessReward, *texts: str) -> list[Any]:
    return asyncio.run(reward.scores(FISH, [Answer(text) for text in texts], Scripted(lambda _: "")))


@pytest.mark.real
def test_the_reward_is_the_lowest_product_or_last_of_the_probabilities(trained: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(trained)
    scorer = AutoModelForCausalLM.from_pretrained(trained)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Name colours."}], tokenize=False, add_generation_prompt=True
    )
    right = []
    for said in ("red\n?", "red\n??123\n?", "red\n??123\n??blue\n?"):
        with torch.inference_mode():
            logits = scorer(torch.tensor([tokenizer(asked + said)["input_ids"]])).logits[0, -1]
        signs = [tokenizer(sign)["input_ids"][0] for sign in "+-"]
        right.append(float(logits[signs].softmax(0)[0]))
    assert right[0] > 0.9 and right[1] < 0.1 and right[2] > 0.9
    wanted = {"min": min(right), "prod": right[0] * right[1] * right[2], "last": right[2]}
    by_kind: tuple[By, ...] = ("min", "prod", "last")
    for by in by_kind:
        (found,) = scores(ProcessReward(model=str(trained), by=by), "red\n\n123\n\nblue")
        assert found["reward"] == pytest.approx(wanted[by], rel=1e-4, abs=1e-6)


@pytest.mark.real
def test_what_ends_a_step_and_what_cannot_be_judged(trained: Path) -> None:
    text = "red\n123"
    (lines,) = scores(ProcessReward(model=str(trained), steps="lines", by="last"), text)
    (apart,) = scores(ProcessReward(model=str(trained), by="last"), "red\n\n123")
    assert lines["reward"] == pytest.approx(apart["reward"], abs=1e-6)
    empty, long, good = scores(ProcessReward(model=str(trained)), " \n", "x" * 1200, "red")
    assert str(empty) == "it has no steps to judge"
    assert isinstance(long, EngineError) and "reads 1024 tokens" in str(long)
    (alone,) = scores(ProcessReward(model=str(trained)), "red")
    assert good["reward"] == pytest.approx(alone["reward"], abs=1e-6)


@pytest.mark.real
def test_neutral_steps_count_as_good_or_not_at_all(model: str, tmp_path: Path) -> None:
    made = [worked(n, neutral=True) for n in range(8)]
    data = write_dataset(tmp_path / "data", made)
    said = sum(len(record.answers[0].scores) for record in made)
    args = {**ARGS, "max_steps": 1}
    train_here(Process(model=model, args=args), data, tmp_path / "good")
    train_here(Process(model=model, args=args, neutral="left_out", tuning="full"), data, tmp_path / "out")
    assert read(tmp_path / "good/manifest.json")["tokens_in_loss"] == said
    assert read(tmp_path / "out/manifest.json")["tokens_in_loss"] == said - 8
    assert read(tmp_path / "out/metrics.json")["held_out_steps"] is None
    ProcessReward(model=str(tmp_path / "out")).check()


class Guessing(ScriptedLine):
    """Names colours, some of which are digits."""

    def open(self) -> Scripted:
        def reply(request: Request) -> str | Completion:
            wrong = (request.seed or 0) % 2
            return "\n\n".join([*["red", "blue", "green"][wrong:], *["123", "456"][:wrong]])

        return Scripted(reply)


@pytest.mark.real
def test_from_a_file_of_labelled_steps_to_the_best_of_n(trained: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Name colours, number {n}.", "completions": ["red", "77"], "labels": [True, False]}
        for n in range(12)
    ]
    rows[3]["labels"] = [True]
    (tmp_path / "steps.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = parse_recipe(
        f"name: scored\nsources: {{mine: {{file: {tmp_path / 'steps.jsonl'}}}}}\n"
        f"stages: [{{best_of_n: {{n: 8, reward: {{process: {{model: {trained}}}}}}}}}]\n"
        f"holdout: 0\ndatasets: [steps, preference]\n",
        "r.yaml",
    ).model_copy(update={"engine": Guessing()})
    with opened(recipe, tmp_path / "run", False):
        asyncio.run(build(recipe, tmp_path / "run", Silent()))
    page = StringIO()
    look(Console(file=page, width=200), tmp_path / "run", 1)
    assert "completions 1\n  red\ncompletions 2\n  77\nlabels: [1.0, 0.0]\n" in page.getvalue()
    steps = pl.read_parquet(tmp_path / "run/dataset/steps/train.parquet")
    assert steps.height == 11
    assert steps["labels"].to_list()[0] == [1.0, 0.0]
    aside = pl.concat(pl.read_parquet(file) for file in (tmp_path / "run").glob("*/rejected.parquet"))
    assert "it has 2 steps (completions) and 1 labels; each step needs one" in aside["reason"].to_list()
    pairs = pl.read_parquet(tmp_path / "run/dataset/preference/train.parquet").to_dicts()
    assert pairs
    for pair in pairs:
        assert not any(c.isdigit() for c in pair["chosen"][0]["content"])
        assert any(c.isdigit() for c in pair["rejected"][0]["content"])


def test_a_recipe_must_write_labelled_steps() -> None:
    text = "name: a\nsources: {mine: {seeds: builtin}}\ndatasets: [DATA]\ntrain: [process]\n"
    assert parse_recipe(text.replace("DATA", "steps"), "r.yaml").train[0].rows == "steps"
    with pytest.raises(RecipeError, match="process trains on the dataset steps; add it to datasets"):
        parse_recipe(text.replace("DATA", "sft"), "r.yaml")


def test_only_what_can_be_merged_is_trained(model: str) -> None:
    with pytest.raises(RecipeError, match=f"tuning prompt cannot be merged .*; take {', '.join(MERGED)}"):
        Process(model=model, tuning="prompt").check()


def test_a_model_that_never_judged_steps_is_refused(model: str) -> None:
    with pytest.raises(RecipeError, match=r"was not trained to judge steps \(its config.json has no process_reward\)"):
        ProcessReward(model=model).check()


def test_a_tokenizer_without_the_signs_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    from tuneworks.factory.step_tokens import signs_of

    save_tokenizer(tmp_path, None)
    assert len(set(vars_of(signs_of(PreTrainedTokenizerFast.from_pretrained(tmp_path), "tiny")))) == 3
    words = Tokenizer(models.WordLevel({"?": 0, "+": 1, "[UNK]": 2}, unk_token="[UNK]"))
    with pytest.raises(InputError, match="the tokenizer of words has no single token for '-'"):
        signs_of(PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]"), "words")


def vars_of(signs: Any) -> tuple[int, int, int]:
    return signs.tag, signs.good, signs.bad


def test_apart_is_said_in_the_recipe() -> None:
    apart: Apart = "lines"
    assert ProcessReward(model="m/m", steps=apart).written() == {
        "process": {"model": "m/m", "by": "min", "steps": "lines"}
    }
