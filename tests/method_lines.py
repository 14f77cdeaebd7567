"""A recipe with every method that asks a model, each on a few records: for tests on real models."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import small_line

from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.reading import Made, steps_made

RECIPE = """name: methods
sources:
  made: {seeds: seeds.jsonl, stages: [{self_instruct: {target: 3, max_tokens: 48}}]}
  once: {seeds: seeds.jsonl, stages: [{one_call: {target: 2, per_reply: 1, max_tokens: 160, temperature: 0.5}}]}
  evolved: {seeds: few.jsonl, stages: [{evol_instruct: {rounds: 1, max_tokens: 64}}]}
  revised: {seeds: few.jsonl, stages: [{constitutional: {rounds: 1, max_tokens: 64}}]}
  compared: {seeds: few.jsonl, stages: [{rlaif: {principles: 1, max_tokens: 48}}]}
  sampled: {seeds: few.jsonl, stages: [{best_of_n: {n: 2, max_tokens: 48}}]}
  asked: {seeds: texts.jsonl, stages: [{back_translation: {}}]}
  talked: {seeds: few.jsonl, stages: [{multi_turn: {max_tokens: 48}}]}
  varied: {seeds: few.jsonl, stages: [{formats: {few_shot: 1.0, examples: 2, max_tokens: 64}}]}
datasets: [sft]
"""

METHODS = [
    *("self_instruct", "one_call", "evol_instruct", "constitutional", "rlaif"),
    *("best_of_n", "back_translation", "multi_turn", "formats"),
]

FEW, TEXTS = 4, 3


def build(folder: Path, more: str = "") -> list[Made]:
    """Build the recipe in `folder`; the steps of the methods, in their order."""
    small_line.write_recipe(folder)
    seeds = [s for s in read_seeds("builtin", "") if not s.meta["input"]][:FEW]
    lines = [json.dumps({**s.meta, "output": s.answers[0].text}) for s in seeds]
    (folder / "few.jsonl").write_text("\n".join(lines))
    texts = [json.dumps({"text": d.prompt_text}) for d in read_seeds("documents", "")[:TEXTS]]
    (folder / "texts.jsonl").write_text("\n".join(texts))
    (folder / "methods.yaml").write_text(RECIPE + more)
    command = [sys.executable, "-m", "tuneworks", "build", "methods.yaml"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [made for made in steps_made(folder / "runs/methods") if made.title.rpartition(".")[2] in METHODS]


def schemas(folder: Path) -> int:
    """How many calls in the journal were held to a JSON Schema."""
    with sqlite3.connect(f"file:{folder / 'runs/methods/journal.sqlite'}?mode=ro", uri=True) as db:
        return int(db.execute("""SELECT count(*) FROM calls WHERE request LIKE '%"schema":%'""").fetchone()[0])
