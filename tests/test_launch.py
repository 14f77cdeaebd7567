"""Starting the worker, ending it, and what its failures become."""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers.launch import FAILURE, environment, launch
from tuneworks.trainers.plan import DONE
from tuneworks.trainers.sft import Sft


def workers_of(into: Path) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if str(into) in (p.info["cmdline"] or [])]


def test_the_worker_sends_no_telemetry_and_sees_one_gpu() -> None:
    ours = environment({"CUDA_VISIBLE_DEVICES": "2,3", "HOME": "/root"})
    assert ours["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert ours["CUDA_VISIBLE_DEVICES"] == "2"
    assert ours["HOME"] == "/root"
    assert environment({})["CUDA_VISIBLE_DEVICES"] == "0"


def test_threads_wait_asleep_unless_the_user_says_otherwise() -> None:
    assert environment({})["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment({"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"


def test_a_worker_that_fails_raises_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(TuneworksError, match="the training stopped with KeyError") as raised:
        launch(tmp_path, lambda line: None, "close other programs")
    assert "\n" not in str(raised.value)
    assert "Traceback" in (tmp_path / "worker.log").read_text()


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (9, "was killed from outside, most likely because memory ran out"),
        (15, "was stopped from outside; start it again, and it goes on from its last checkpoint"),
        (11, "ended with code -11 and left no word why; read "),
    ],
)
def test_a_worker_that_is_killed_leaves_no_word(signal: int, words: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plan.json")  # the worker waits for someone to write its plan
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(launch, tmp_path, lambda line: None, "close other programs")
        while not workers_of(tmp_path):
            time.sleep(0.05)
        workers_of(tmp_path)[0].send_signal(signal)
        with pytest.raises(TuneworksError, match=words):
            failed.result()


@pytest.mark.real
def test_a_training_in_its_own_process(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model")
    data = write_dataset(tmp_path / "data", toy_records(8))
    said: list[str] = []
    trainer = Sft(model=model, args={"max_steps": 2})
    trainer.train(data, tmp_path / "out", say=said.append)
    assert said[-1].startswith("step 2 of 2: loss ")
    assert (tmp_path / "out" / DONE).is_file()
    assert not (tmp_path / "out" / FAILURE).exists()
    trainer.train(data, tmp_path / "out", say=said.append)
    assert said[-1] == "out is already trained from these rows"


@pytest.mark.real
def test_an_interrupt_keeps_the_step_and_the_same_training_goes_on(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model")
    data = write_dataset(tmp_path / "data", toy_records(8))
    into, trainer = tmp_path / "out", Sft(model=model, args={"max_steps": 60})
    seen: list[int] = []
    said: list[str] = []

    def interrupted(line: str) -> None:
        said.append(line)
        if line.startswith("step 2 "):
            seen.append(len(workers_of(into)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(data, into, say=interrupted)
    assert seen == [1]
    assert workers_of(into) == []
    assert not (into / DONE).exists()
    stopped = re.fullmatch(r"stopped after step (\d+) of 60, which is kept", said[-1])
    assert stopped
    (into / "left over").touch()
    (into / "checkpoint-59").mkdir()  # cut off in writing
    said.clear()
    trainer.train(data, into, say=said.append)
    assert f"going on at step {stopped[1]} of 60" in said
    assert json.loads((into / "metrics.json").read_text())["steps"] == 60
    assert not (into / "left over").exists()
    assert not list(into.glob("checkpoint-*"))


@pytest.mark.real
def test_a_worker_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model")
    data = write_dataset(tmp_path / "data", toy_records(8))
    into = tmp_path / "out"
    script = (
        "from pathlib import Path; from tuneworks.trainers.sft import Sft; "
        f"Sft(model={model!r}, args={{'max_steps': 100000}}).train(Path({str(data)!r}), Path({str(into)!r}), say=print)"
    )
    starter = subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert any(line.startswith("step ") for line in starter.stdout)
    (worker,) = workers_of(into)
    starter.kill()
    starter.wait()
    worker.wait(10)
    starter.stdout.close()
