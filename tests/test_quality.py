"""Quality-conditioned fine-tuning."""

import json
from pathlib import Path

import pytest
from tiny_model import build_tiny_model, seed_records, toy_records, train_here, write_dataset

from tuneworks.trainers.quality import Quality

pytestmark = pytest.mark.real


def test_the_control_steers_the_toy_model(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(40), toy_records(12, 100))
    args = {
        "max_steps": 120,
        "learning_rate": 4e-3,
        "lr_scheduler_type": "constant",
        "bf16": False,
        "per_device_train_batch_size": 16,
        "logging_steps": 10,
    }
    model = build_tiny_model(tmp_path / "model")
    said = train_here(Quality(model=model, tuning="full", args=args), data, tmp_path / "out")
    steering = json.loads((tmp_path / "out/metrics.json").read_text())["steering"]
    good, bad = steering["nll"]["good_answer"], steering["nll"]["bad_answer"]
    assert good["good_control"] < good["bad_control"]
    assert bad["bad_control"] < bad["good_control"]
    assert steering["gap"] == pytest.approx(good["bad_control"] - good["good_control"])
    assert steering["gap"] > 0.5
    assert steering["answers_that_differ"] > 0.5
    assert steering["answered"] == 8
    samples = (tmp_path / "out/samples.txt").read_text()
    assert samples.count("ASKED FOR GOOD") == 8
    assert "ASKED FOR BAD\n7 3 9\n" in samples
    assert any(line.startswith("held-out: a good answer is +") for line in said)


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
