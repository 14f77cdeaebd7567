"""A recipe that goes the whole line in about a minute on the embedded model, and how to build it as a user does."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tuneworks.factory.seeds import read_seeds

RECIPE = """name: small
seed: 3
sources:
  made:
    seeds: seeds.jsonl
    stages:
      - self_instruct: {target: 8, max_tokens: 48, guidance: Answer in one short sentence.}
      - length: {min_words: 4}
      - best_of_n: {n: 3, max_tokens: 48, guidance: Answer in one short sentence.}
stages:
  - exact_duplicates
holdout: 0.2
"""

SEEDS_SHOWN = 20


def write_recipe(folder: Path, more: str = "") -> None:
    """The recipe with every ninth packaged seed, so that both labels are among them."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = read_seeds("builtin", "")[::9][:SEEDS_SHOWN]
    lines = [json.dumps({**s.meta, "output": s.answers[0].text}) for s in seeds]
    (folder / "seeds.jsonl").write_text("\n".join(lines))
    (folder / "small.yaml").write_text(RECIPE + more)


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tuneworks", "build", "small.yaml", *options]
    threads = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**os.environ, **threads}
    log = (folder / "log.txt").open("a")
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, text=True, env=environment)


def build(folder: Path, *options: str) -> None:
    worker = start(folder, *options)
    assert worker.wait() == 0, (folder / "log.txt").read_text()[-2000:]


def calls(folder: Path) -> tuple[int, int]:
    """(calls in the journal, finished calls that were made again); (0, 0) while there is no journal."""
    path = folder / "runs" / "small" / "journal.sqlite"
    if not path.is_file():
        return 0, 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            row = db.execute("SELECT count(*), coalesce(sum(times - 1), 0) FROM calls").fetchone()
    except sqlite3.OperationalError:  # being made just now
        return 0, 0
    return int(row[0]), int(row[1])


def killed(folder: Path, count: float, rng: random.Random) -> int:
    """Start the build and SIGKILL it within a second of `count` calls being in the journal; the calls then kept."""
    worker = start(folder)
    while worker.poll() is None and calls(folder)[0] < count:
        time.sleep(0.02)
    time.sleep(rng.random())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    return calls(folder)[0]


def dataset(folder: Path, runs: str = "runs") -> dict[str, bytes]:
    place = folder / runs / "small" / "dataset"
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}
