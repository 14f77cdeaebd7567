"""The whole line on the embedded model, for real: killed, resumed, trained, loaded."""

import random
import signal
import time
from pathlib import Path

import pytest
import small_line

TRAIN = """train:
  - sft: {args: {max_steps: 3}}
"""


@pytest.mark.real
@pytest.mark.timeout(1500)
def test_kill_9_at_three_moments_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        small_line.write_recipe(folder)
    small_line.build(whole)
    total, _ = small_line.calls(whole)
    moments = random.Random(0)
    for share in (0.2, 0.5, 0.8):
        small_line.killed(killed, share * total, moments)
        assert not (killed / "runs" / "small" / "dataset").exists()
    assert 0 < small_line.calls(killed)[0] <= total  # the last batch may have been written when the last kill came
    small_line.build(killed)
    assert small_line.dataset(killed) == small_line.dataset(whole)
    assert small_line.calls(killed) == (total, 0)


@pytest.mark.real
@pytest.mark.timeout(1500)
def test_the_line_ends_in_a_model_that_loads_and_a_second_build_asks_nothing(tmp_path: Path) -> None:
    small_line.write_recipe(tmp_path, TRAIN)
    small_line.build(tmp_path)
    model = tmp_path / "runs" / "small" / "models" / "sft"
    assert (model / "manifest.json").is_file() and (model / "masks.txt").is_file()
    from peft import AutoPeftModelForCausalLM

    AutoPeftModelForCausalLM.from_pretrained(model)
    before = small_line.calls(tmp_path), small_line.dataset(tmp_path), (model / "done.json").stat().st_mtime
    began = time.monotonic()
    small_line.build(tmp_path)
    assert time.monotonic() - began < 60
    assert before == (small_line.calls(tmp_path), small_line.dataset(tmp_path), (model / "done.json").stat().st_mtime)


@pytest.mark.real
@pytest.mark.timeout(600)
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    small_line.write_recipe(tmp_path)
    worker = small_line.start(tmp_path)
    while worker.poll() is None and small_line.calls(tmp_path)[0] < 10:
        time.sleep(0.05)
    worker.send_signal(signal.SIGINT)
    assert worker.wait(60) == 130
    log = (tmp_path / "log.txt").read_text()
    assert "go on with: tuneworks build small.yaml" in log and "Traceback" not in log
