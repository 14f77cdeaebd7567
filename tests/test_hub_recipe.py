"""The Hub in a recipe: a source of a run, which keeps to its commit, and where the dataset goes at the end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml
from hub_repos import HubServer
from hub_server import environment, serving

pytestmark = pytest.mark.real

RECIPE = """name: passed
sources:
  theirs:
    hub: acme/tasks
    licence: apache-2.0
    stages:
      - length: {min_words: 2}
datasets: [sft]
holdout: 0
push: tester/passed
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with serving(HubServer()) as server:
        yield server


def rows(*texts: str) -> bytes:
    return "".join(json.dumps({"instruction": text, "output": "Done."}) + "\n" for text in texts).encode()


def tuneworks(hub: HubServer, place: Path, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "tuneworks", *arguments]
    done = subprocess.run(
        command, env=environment(hub, place), cwd=place, text=True, capture_output=True, timeout=240, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def instructions(place: Path) -> set[str]:
    table = pl.read_parquet(place / "runs/passed/dataset/sft/train.parquet")
    return {turns[0]["content"] for turns in table["prompt"].to_list()}


def test_a_run_keeps_to_the_commit_of_its_source_and_sends_what_it_makes(hub: HubServer, tmp_path: Path) -> None:
    hub.make("acme/tasks", {"rows.jsonl": rows("Name a fish.", "Name a tree.", "Stop!")}, private=False)
    first = hub.repos["acme/tasks"].commits[-1].oid
    (tmp_path / "r.yaml").write_text(RECIPE)
    tuneworks(hub, tmp_path, "build", "r.yaml")
    kept = yaml.safe_load((tmp_path / "runs/passed/recipe.yaml").read_text())
    assert kept["sources"]["theirs"]["commit"] == first
    assert instructions(tmp_path) == {"Name a fish.", "Name a tree."}
    there = hub.held("tester/passed")
    assert there["sft/train.parquet"] == (tmp_path / "runs/passed/dataset/sft/train.parquet").read_bytes()
    assert f"commit: {first}".encode() in there["recipe.yaml"] and hub.repos["tester/passed"].private

    hub.add("acme/tasks", "more", {"rows.jsonl": rows("Name a bird.")})
    said = tuneworks(hub, tmp_path, "build", "r.yaml")
    assert "already made" in said and len(hub.repos["tester/passed"].commits) == 2
    tuneworks(hub, tmp_path, "build", "r.yaml", "--update")
    assert instructions(tmp_path) == {"Name a bird."} and len(hub.repos["tester/passed"].commits) == 3


def test_a_mistake_is_one_sentence_before_anything_is_made(hub: HubServer, tmp_path: Path) -> None:
    hub.make("acme/tasks", {"rows.jsonl": rows("Name a fish.")}, private=False)
    hub.make("acme/closed", {"rows.jsonl": rows("Name a fish.")})
    hub.make("tester/other", {"README.md": b"# mine"})
    cases = {
        ("acme/tasks", "acme/nothing"): "the dataset acme/nothing does not exist on the Hub or needs a login",
        ("acme/tasks", "acme/closed"): "the dataset acme/closed does not exist on the Hub or needs a login",
        ("hub: acme/tasks", "hub: acme/tasks\n    split: dev"): "acme/tasks has no split 'dev'; name one of: train",
        ("push: tester/passed", "push: tester/other"): "tester/other",
        ("push: tester/passed", "push: passed"): "write owner/name",
    }
    for (old, new), sentence in cases.items():
        (tmp_path / "r.yaml").write_text(RECIPE.replace(old, new))
        said = tuneworks(hub, tmp_path, "build", "r.yaml", status=2)
        assert sentence in said and "Traceback" not in said, said
    assert not (tmp_path / "runs").exists()
