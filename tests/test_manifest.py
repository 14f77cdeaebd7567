"""The files a trained folder describes itself with."""

import json
from pathlib import Path

import pytest


@pytest.mark.real
def test_json_is_readable_whatever_is_in_it(tmp_path: Path) -> None:
    from tuneworks.trainers.manifest import write_json

    write_json(tmp_path / "a.json", {"text": "好", "path": tmp_path, "nothing": None, "number": 1e-4})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "好" in text
    assert json.loads(text) == {"text": "好", "path": str(tmp_path), "nothing": None, "number": 1e-4}


@pytest.mark.real
def test_a_manifest_says_what_was_used_and_no_folder_of_the_machine(tmp_path: Path) -> None:
    from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

    from tuneworks.trainers.sft import Sft

    data = write_dataset(tmp_path / "data", toy_records(6))
    trainer = Sft(model=build_tiny_model(tmp_path / "model"), args={"max_steps": 1}, lora={"r": 4})
    train_here(trainer, data, tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["peft"] == {
        "r": 4,
        "lora_alpha": 32,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
    }
    assert manifest["plan"] == trainer.plan(data, 0).key
    assert manifest["data"] == {"train": {"rows": 6, "sha256": trainer.plan(data, 0).train.sha256}}
    del manifest["model"]
    assert str(tmp_path) not in json.dumps(manifest)
