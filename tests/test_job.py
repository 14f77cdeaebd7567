"""Our defaults, and the rows a job is opened with."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.plan import Plan, Split
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer

pytestmark = pytest.mark.real


def ours(trainer: TrlTrainer, rows: int = 40, device: str = "cpu", dtype: str = "bfloat16") -> dict[str, Any]:
    import torch

    from tuneworks.trainers.job import defaults

    plan = Plan(trainer.kind, {}, 7, Split("train.parquet", rows, ""), None, "")
    return defaults(trainer, plan, device, getattr(torch, dtype))


def test_defaults_without_a_gpu() -> None:
    found = ours(Sft())
    assert found["use_cpu"]
    assert found["bf16"]
    assert not found["gradient_checkpointing"]
    assert not found["dataloader_pin_memory"]
    assert not found["logging_nan_inf_filter"]
    assert (found["seed"], found["max_length"], found["report_to"]) == (7, 1024, "none")


def test_defaults_with_a_gpu() -> None:
    found = ours(Sft(), device="cuda")
    assert not found["use_cpu"]
    assert found["gradient_checkpointing"]
    assert found["per_device_train_batch_size"] == 8


def test_arithmetic_is_bfloat16_where_the_hardware_has_it() -> None:
    assert not ours(Sft(), dtype="float32")["bf16"]
    assert not ours(Sft(args={"fp16": True}))["bf16"]


def test_the_learning_rate_fits_the_tuning() -> None:
    for kind in (Sft, Dpo):
        few, all_weights = (ours(kind(tuning=tuning))["learning_rate"] for tuning in ("lora", "full"))
        assert few >= 10 * all_weights


@pytest.mark.parametrize(
    ("args", "rows", "steps"),
    [
        ({"max_steps": 20}, 1000, 20),
        ({"per_device_train_batch_size": 4}, 10, 9),
        ({"per_device_train_batch_size": 4, "num_train_epochs": 1}, 10, 3),
        (
            {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "num_train_epochs": 0.5},
            64,
            4,
        ),
        ({"per_device_train_batch_size": 4, "max_steps": -1, "num_train_epochs": 2}, 8, 4),
    ],
)
def test_planned_steps(args: dict[str, Any], rows: int, steps: int) -> None:
    from tuneworks.trainers.planned import planned_steps

    assert planned_steps(args, rows) == steps


def test_short_trainings_log_every_step() -> None:
    assert ours(Sft(args={"max_steps": 100}), rows=9000)["logging_steps"] == 1
    assert ours(Sft(args={"max_steps": 101}), rows=9000)["logging_steps"] == 10
    assert ours(Sft(), rows=20)["logging_steps"] == 1
    assert ours(Sft(), rows=9000)["logging_steps"] == 10


def test_a_job_reads_the_rows_as_they_are_now(tmp_path: Path) -> None:
    from tuneworks.trainers.job import open_job

    model = build_tiny_model(tmp_path / "model")
    args = {"max_steps": 2, "learning_rate": "3e-4", "model_init_kwargs": {"attn_implementation": "eager"}}
    trainer = Sft(model=model, args=args)
    for count in (3, 5):
        write_dataset(tmp_path / "data", toy_records(count), toy_records(2, 50))
        into = tmp_path / f"out{count}"
        into.mkdir()
        job = open_job(trainer, trainer.plan(tmp_path / "data", 0), into, lambda line: None)
        rows = pl.read_parquet(tmp_path / "data/sft/train.parquet").to_dicts()
        assert job.train.to_list() == rows
        assert len(rows) == count
        assert job.test is not None
        assert len(job.test) == 2
    assert job.arguments["learning_rate"] == 3e-4
    assert job.arguments["output_dir"] == str(into)
    assert "model_init_kwargs" not in job.arguments
    assert job.model().config._attn_implementation == "eager"
