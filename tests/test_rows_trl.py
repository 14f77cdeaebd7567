"""TRL takes the rows of every view as they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from export_dataset import build_dataset
from tiny_model import build_tiny_model

pytestmark = pytest.mark.real

ARGS: dict[str, Any] = {"max_steps": 1, "per_device_train_batch_size": 4, "bf16": False, "use_cpu": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def rows(data: Path, name: str) -> Any:
    from datasets import load_dataset

    return load_dataset("parquet", data_files=str(data / name / "train.parquet"), split="train")


@pytest.mark.parametrize("name", ["sft", "preference", "quality", "unpaired", "prompts"])
def test_the_rows_are_conversational_to_trl(data: Path, name: str) -> None:
    from transformers import AutoTokenizer
    from trl.data_utils import apply_chat_template, is_conversational

    row = rows(data, name)[2]
    assert is_conversational(row)
    assert not is_conversational({"prompt": "a text"})
    tokenizer = AutoTokenizer.from_pretrained(build_tiny_model(data / "model"))
    asked = ("prompt", "completion", "chosen", "rejected", "label")
    laid_out = apply_chat_template({key: row[key] for key in asked if key in row}, tokenizer)
    assert laid_out["prompt"].endswith("<|im_start|>assistant\n")


def test_all_answers_of_a_ranking_are_messages(data: Path) -> None:
    from trl.data_utils import is_conversational

    row = rows(data, "ranked")[0]
    assert all(is_conversational({"prompt": row["prompt"], "completion": turns}) for turns in row["completions"])
    assert row["rewards"] == [1.0, 0.0]


def test_kto_trains_on_unpaired_rows(data: Path, model: str, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    trainer = KTOTrainer(model, args=KTOConfig(str(tmp_path), **ARGS), train_dataset=rows(data, "unpaired"))
    assert trainer.train().training_loss == pytest.approx(0.5, abs=0.01)  # as before the first step
    # Each answer is measured against an answer to another prompt.
    taken = rows(data, "unpaired")
    assert len(taken) == len(trainer.train_dataset) == 24
    assert all(one != other for one, other in zip(taken["id"][:-1], taken["id"][1:], strict=True))


def test_grpo_asks_the_prompts_and_hands_the_reference_to_the_reward(data: Path, model: str, tmp_path: Path) -> None:
    from trl import GRPOConfig, GRPOTrainer

    seen: list[tuple[str, str]] = []

    def reward(prompts: list[Any], completions: list[Any], reference: list[str], **_: Any) -> list[float]:
        seen.extend((prompt[-1]["content"], text) for prompt, text in zip(prompts, reference, strict=True))
        return [float(len(turns[0]["content"]) % 2) for turns in completions]

    args = GRPOConfig(str(tmp_path), num_generations=2, max_completion_length=4, **ARGS)
    GRPOTrainer(model, reward, args=args, train_dataset=rows(data, "prompts")).train()
    asked = {row["prompt"][-1]["content"]: row["reference"] for row in rows(data, "prompts")}
    assert len(seen) == 4
    assert all(asked[prompt] == reference for prompt, reference in seen), json.dumps(seen)
