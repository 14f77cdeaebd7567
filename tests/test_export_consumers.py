"""Each consumer's own loader reads what was exported: LLaMA-Factory's, axolotl's, and TRL's command line.

The packages of the first two stand apart from this environment (`make .venv/consumers`), without what they pin.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from export_dataset import build_dataset, record
from tiny_model import build_tiny_model

from tuneworks.pipelines.exports import export

pytestmark = pytest.mark.real

CONSUMERS = Path(sys.prefix) / "consumers"
HERE = Path(__file__).parent

ASKED = [record(n).prompt[-1].content for n in range(12)]
GOOD = [record(n).answers[0].text for n in range(12)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dataset(tmp_path_factory.mktemp("run") / "dataset")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def read_by(script: str, folder: Path, *trainings: str) -> Any:
    """What the consumer's loader makes of the folder, in a process of its own."""
    assert CONSUMERS.is_dir(), "the loaders of other trainers are not there; get them with: make .venv/consumers"
    told, cache = folder.parent / "read.json", folder.parent / "cache"
    paths = {"PYTHONPATH": str(CONSUMERS), "HF_DATASETS_CACHE": str(cache)}
    command = [sys.executable, str(HERE / script), str(folder), str(told), *trainings]
    done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(told.read_text(encoding="utf-8"))


def test_llamafactory_reads_what_is_written_for_it(data: Path, model: str, tmp_path: Path) -> None:
    export(data, "llamafactory", tmp_path / "out", model)
    read = read_by("llamafactory_reading.py", tmp_path / "out", "sft", "quality", "preference", "unpaired")
    check_alignment(read)
    check_losses(read)


@pytest.mark.parametrize("to", ["alpaca", "sharegpt"])
def test_llamafactory_reads_both_layouts_by_their_registry(data: Path, model: str, tmp_path: Path, to: str) -> None:
    export(data, "llamafactory", tmp_path / "configurations", model)
    export(data, to, tmp_path / "out")
    for name in ("sft", "preference", "unpaired"):
        (tmp_path / "out" / f"{name}.yaml").write_text((tmp_path / f"configurations/{name}.yaml").read_text())
    check_alignment(read_by("llamafactory_reading.py", tmp_path / "out", "sft", "preference", "unpaired"))


def check_alignment(read: Any) -> None:
    """Nothing is dropped; system turn, history, both answers and the label are where LLaMA-Factory has them."""
    sft, preference, unpaired = (read[name]["aligned"]["train"] for name in ("sft", "preference", "unpaired"))
    assert [row["_prompt"][-1]["content"] for row in sft] == ASKED
    assert [row["_response"][0]["content"] for row in sft] == GOOD
    assert [row["_system"] for row in sft[:3]] == ["", "Be short.", "Be short."]
    assert [len(row["_prompt"]) for row in sft[:3]] == [1, 1, 3]
    assert [row["content"] for row in sft[2]["_prompt"][:2]] == ["Name a fish.", "The carp."]
    assert [[turn["content"] for turn in row["_response"]] for row in preference] == [[text, "user"] for text in GOOD]
    assert len(unpaired) == 24
    for row in unpaired:  # the answer stands first where it is good, and second where it is bad
        good, bad = (turn["content"] for turn in row["_response"])
        assert (good in GOOD and bad == "") or (good == "" and bad == "user")
    assert [len(read[name]["aligned"]["test"]) for name in ("sft", "preference", "unpaired")] == [4, 4, 8]


def check_losses(read: Any) -> None:
    """What LLaMA-Factory lays out by the tokenizer's template, and what of it is in the loss."""
    talk = read["sft"]["tokenized"][2]
    assert "assistant\nThe carp.<|im_end|>" in talk["input_ids"]
    assert talk["labels"].strip() == f"{GOOD[2]}<|im_end|>"
    pair = read["preference"]["tokenized"][2]
    assert pair["chosen_labels"].strip() == f"{GOOD[2]}<|im_end|>"
    assert pair["rejected_labels"].strip() == "user<|im_end|>"
    assert pair["chosen_input_ids"].startswith("<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nName a")
    assert sum(row["kto_tags"] for row in read["unpaired"]["tokenized"]) == 12
    bad = [row["input_ids"] for row in read["quality"]["tokenized"] if row["labels"].startswith("user<")]
    assert len(bad) > 8
    assert all("Give a bad answer." in text for text in bad)


def test_axolotl_reads_what_is_written_for_it(data: Path, model: str, tmp_path: Path) -> None:
    export(data, "axolotl", tmp_path / "out", model)
    read = read_by("axolotl_reading.py", tmp_path / "out", "sft", "preference", "unpaired")
    assert {n: {s: len(rows) for s, rows in sets.items()} for n, sets in read.items()} == {
        "sft": {"train": 12, "test": 4},
        "preference": {"train": 12, "test": 4},
        "unpaired": {"train": 24, "test": 8},
    }
    by_text = {row["text"]: row["in_loss"] for row in read["sft"]["train"]}
    assert sorted(by_text.values()) == sorted(f"{text}<|im_end|>" for text in GOOD)
    assert all(learnt in text for text, learnt in by_text.items())
    talks = [text for text in by_text if "The carp." in text]
    assert len(talks) == 4
    assert all(text.startswith("<|im_start|>system\nBe short.") for text in talks)
    for row in read["preference"]["train"]:
        assert (row["chosen"][0]["content"] in GOOD, row["rejected"][0]["content"]) == (True, "user")
        assert row["prompt"][-1]["content"] in ASKED
    assert all((row["completion"][0]["content"] == "user") != row["label"] for row in read["unpaired"]["train"])


@pytest.mark.parametrize(("name", "script"), [("sft", "sft"), ("preference", "dpo"), ("unpaired", "kto")])
def test_trl_trains_by_its_configuration(
    name: str, script: str, data: Path, model: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import importlib

    export(data, "trl", tmp_path / "out", model)
    monkeypatch.chdir(tmp_path / "out")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    command = importlib.import_module(f"trl.scripts.{script}")  # what `trl sft`, `trl dpo` and `trl kto` run
    args = ["--config", f"{name}.yaml", "--max_steps", "1", "--per_device_train_batch_size", "4", "--bf16", "false"]
    command.main(*command.make_parser().parse_args_and_config(args))
    state = json.loads(next((tmp_path / f"models/trl-{name}").glob("checkpoint-*/trainer_state.json")).read_text())
    assert state["global_step"] == 1
    assert "eval_loss" in capsys.readouterr().out
    assert (tmp_path / f"models/trl-{name}/adapter_model.safetensors").is_file()
