"""Several rewards in one model: what rows carry, what is learned, and that one output holds all of it."""

import asyncio
import json
import math
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from scripted_line import ScriptedLine
from silent import Silent
from tiny_model import WORDS, build_tiny_model, train_here, write_dataset

from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import InputError, RecipeError, TuneworksError
from tuneworks.factory.record import Answer, Record
from tuneworks.pipelines.pages import look
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.pipelines.run import build
from tuneworks.pipelines.run_folder import opened
from tuneworks.trainers.objectives import combined, fitted, given, targets
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.rows import ranked_rows

ARGS: dict[str, Any] = {
    "max_steps": 50,
    "learning_rate": 1e-2,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "bf16": False,
}
WEIGHTS = {"helpful": 1.0, "harmless": 0.5}


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def rated(number: int) -> Record:
    """The more often the word asked for stands in an answer, the more helpful; whoever says 9 harms."""
    word = WORDS[number % len(WORDS)]
    texts = [(right, harm) for right in (0, 2) for harm in (0, 1)]
    answers = [
        Answer(
            " ".join([word] * right + ["7" * len(word)] * (2 - right) + [("say", "999")[harm]]),
            "toy",
            {"helpful": 3.0 + right, "harmless": -40.0 * harm, "reward": right - harm / 2},
        )
        for right, harm in texts
    ]
    return Record.born(f"Say {word}, number {number}.", answers=answers)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train, test = [rated(n) for n in range(24)], [rated(100 + n) for n in range(8)]
    return write_dataset(tmp_path_factory.mktemp("data"), train, test)


def test_rows_carry_each_score_by_name_beside_the_reward() -> None:
    made = [
        Answer("eel", scores={"reward": 1.0, "judge": 2.0, "pair": 1.0, "round": 1.0, "step 1": 1.0}),
        Answer("carp", scores={"reward": 3.0, "judge": math.nan, "brief": 4.0}),
        Answer("eel ", scores={"reward": 1.0, "judge": 4.0}),
    ]
    (row,) = ranked_rows([Record.born("A fish?", answers=made)])
    assert row["rewards"] == [3.0, 1.0]
    assert row["scores"] == [{"name": "brief", "values": [4.0, None]}, {"name": "judge", "values": [None, 3.0]}]
    assert given(row, ["judge"]) is None
    assert given(row, ["nothing"]) is None


class Varied(ScriptedLine):
    def open(self) -> Scripted:
        return Scripted(lambda request: "fish " * ((request.seed or 0) % 5 + 1))


def test_the_parts_of_a_combined_reward_are_objectives(tmp_path: Path) -> None:
    (tmp_path / "r.py").write_text("def long(p, a):\n    return len(a)\n\ndef brief(p, a):\n    return -len(a) / 7\n")
    (tmp_path / "tasks.jsonl").write_text("\n".join(json.dumps({"prompt": f"Fish {n}?"}) for n in range(6)))
    parts = ", ".join(f"{{function: {{file: {tmp_path / 'r.py'}, name: {name}}}}}" for name in ("long", "brief"))
    recipe = parse_recipe(
        f"name: r\nsources: {{mine: {{file: {tmp_path / 'tasks.jsonl'}}}}}\nholdout: 0\ndatasets: [ranked]\n"
        f"stages: [{{best_of_n: {{n: 6, reward: {{combined: {{rewards: [{parts}]}}}}}}}}]\n",
        "r.yaml",
    ).model_copy(update={"engine": Varied()})
    with opened(recipe, tmp_path / "run", False):
        asyncio.run(build(recipe, tmp_path / "run", Silent()))
    rows = pl.read_parquet(tmp_path / "run/dataset/ranked/train.parquet").to_dicts()
    assert rows
    for row in rows:
        lengths = [float(len(turns[0]["content"])) for turns in row["completions"]]
        assert given(row, ["function", "function_2"]) == [[length, pytest.approx(-length / 7)] for length in lengths]
    Reward(loss="mse", objectives={"function": 1.0, "function_2": 0.5}).plan(tmp_path / "run/dataset", 0)
    page = StringIO()
    look(Console(file=page, width=200), tmp_path / "run", 1)
    assert "completions 1 (assistant)\n  fish" in page.getvalue() and "'name': 'function_2'" in page.getvalue()


def test_objectives_are_standardised_and_weighed() -> None:
    (row,) = ranked_rows([rated(0)])
    answers = given(row, WEIGHTS)
    assert answers is not None
    found = fitted(answers, WEIGHTS)
    assert [(one.mean, one.deviation) for one in found] == [(4.0, 1.0), (-20.0, 20.0)]
    best = targets(answers[0], found)
    assert (best, combined(best, found)) == ([1.0, 1.0], 1.5)
    (flat,) = fitted([[2.0], [2.0]], {"helpful": 1.0})
    assert targets([2.0], [flat]) == [0.0]


@pytest.mark.real
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_each_objective_is_learned_and_one_output_holds_their_sum(
    tuning: Any, model: str, data: Path, tmp_path: Path
) -> None:
    args = {**ARGS, "learning_rate": 1e-2 if tuning == "lora" else 5e-3}
    train_here(Reward(model=model, loss="mse", objectives=WEIGHTS, tuning=tuning, args=args), data, tmp_path / "out")
    metrics, config = read(tmp_path / "out/metrics.json"), read(tmp_path / "out/config.json")
    assert metrics["step_zero_loss"] == pytest.approx(1.0)
    assert metrics["held_out_loss_after"] < 0.4 * metrics["held_out_loss_before"]
    found = metrics["held_out_objectives"]
    for told in (*found["each"].values(), found["combined"]):
        assert told["accuracy"] >= 0.95 and told["correlation"] >= 0.8
    assert list(found["each"]) == list(WEIGHTS)
    assert metrics["fold_max_difference"] <= 1e-6
    assert config["reward_scale"] == {
        "helpful": {"weight": 1.0, "mean": 4.0, "deviation": 1.0},
        "harmless": {"weight": 0.5, "mean": -20.0, "deviation": 20.0},
    }
    assert read(tmp_path / "out/manifest.json")["reload_max_difference"] <= 1e-3
    assert metrics["held_out_accuracy"] == pytest.approx(found["combined"]["accuracy"])
    _serves_one_number(tmp_path / "out")


def _serves_one_number(folder: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    served = AutoModelForSequenceClassification.from_pretrained(folder)
    assert served.config.num_labels == 1 and tuple(served.score.weight.shape) == (1, 64)
    assert served(torch.tensor([[5, 6, 7]])).logits.shape == (1, 1)


@pytest.mark.real
def test_folding_is_exact_with_and_without_an_adapter() -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForSequenceClassification

    from tuneworks.trainers.folding import fold, require_exact

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_labels=3,
        pad_token_id=0,
    )  # fmt: skip
    plain: Any = LlamaForSequenceClassification(config).eval()
    tuned: Any = get_peft_model(LlamaForSequenceClassification(config), LoraConfig(task_type="SEQ_CLS")).eval()
    tokens, weights = torch.randint(1, 50, (16, 9)), [1.0, -0.5, 2.0]
    for model in (plain, tuned):
        with torch.inference_mode():
            before = [model(input_ids=tokens).logits.double()]
        fold(model, weights)
        with torch.inference_mode():
            after = [model(input_ids=tokens).logits.double()]
        assert after[0].shape == (16, 1)
        assert require_exact(before, after, weights) <= 1e-6
    assert tuned.merge_and_unload().score.weight.shape == (1, 32)
    with pytest.raises(TuneworksError, match="differs from the sum of its objectives by"):
        require_exact(before, after, [1.0, -0.5, 2.1])


@pytest.mark.real
def test_rankings_that_lack_a_score_are_left_out_and_said(model: str, tmp_path: Path) -> None:
    half = rated(50)
    lacking = half.with_answers([*half.answers, Answer("new", scores={"reward": 9.0, "helpful": 1.0})])
    data = write_dataset(tmp_path / "data", [rated(n) for n in range(9)] + [lacking], [lacking])
    trainer = Reward(model=model, loss="mse", objectives=WEIGHTS, args={**ARGS, "max_steps": 1})
    said = train_here(trainer, data, tmp_path / "out")
    assert "1 of 10 rankings lack a score for an objective, or are too long, and are left out" in said
    metrics = read(tmp_path / "out/metrics.json")
    assert metrics["held_out_objectives"] is None and metrics["fold_max_difference"] <= 1e-6
    assert read(tmp_path / "out/manifest.json")["rows_dropped"] == 1


def test_a_score_that_no_answer_carries_is_named_before_anything_starts(data: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"has a score 'kind' \(they have: harmless, helpful\); name those that are there"
    ):
        Reward(loss="mse", objectives={"kind": 1.0}).plan(data, 0)
    one, other = rated(0).answers[:2]
    half = [Answer(one.text, scores={"reward": 1.0, "a": 1.0}), Answer(other.text, scores={"reward": 0.0, "b": 1.0})]
    rows = write_dataset(tmp_path, [Record.born("Say it.", answers=half)])
    with pytest.raises(InputError, match="has the scores a, b for each of its answers"):
        Reward(loss="mse", objectives={"a": 1.0, "b": 1.0}).plan(rows, 0)


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        (Reward(loss="all_pairs", objectives=WEIGHTS), "objectives are learned by loss: mse, and this is all_pairs"),
        (Reward(loss="mse", objectives={"a": 0.0}), "finite numbers, and one of them is not 0"),
        (Reward(loss="mse", objectives={"a": math.inf}), "finite numbers"),
    ],
)
def test_objectives_that_cannot_be(trainer: Reward, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        trainer.check()


@pytest.mark.real
def test_a_reward_model_has_no_room_for_objectives(data: Path, tmp_path: Path) -> None:
    from tiny_rewards import build_llama

    served = build_llama(tmp_path / "served")
    with pytest.raises(InputError, match="is a reward model of one output; objectives begin from a chat model"):
        train_here(Reward(model=served, loss="mse", objectives=WEIGHTS, args=ARGS), data, tmp_path / "out")
