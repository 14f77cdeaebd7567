"""Where figures go: metrics.jsonl as they come, and tensorboard where it is asked for."""

import json
from pathlib import Path

import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

from tuneworks.factory.errors import RecipeError
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trackers import names, refuse_missing


def test_a_tracker_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="report_to wandb needs the package wandb; pip install wandb"):
        refuse_missing({"report_to": ["tensorboard", "wandb"]}, "sft")
    refuse_missing({"report_to": "tensorboard"}, "sft")
    refuse_missing({"report_to": "none"}, "sft")
    refuse_missing({}, "sft")


def test_trackers_call_a_training_by_its_run(tmp_path: Path) -> None:
    assert names(tmp_path / "mine/models/sft-2") == {"project": "mine", "run_name": "mine/sft-2"}


@pytest.mark.real
def test_every_logged_step_is_in_a_file_and_in_tensorboards(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(12), toy_records(4, 100))
    args = {"max_steps": 3, "report_to": "tensorboard", "bf16": False}
    Sft(model=build_tiny_model(tmp_path / "model"), tuning="full", args=args).train(data, tmp_path / "out")
    steps = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [one["step"] for one in steps if "loss" in one] == [1, 2, 3]
    log = json.loads((tmp_path / "out/metrics.json").read_text())["log"]
    assert [one["loss"] for one in steps if "loss" in one] == [one["loss"] for one in log]
    events = b"".join(file.read_bytes() for file in (tmp_path / "out/logs").glob("events.*"))
    assert events.count(b"train/loss") == 3
