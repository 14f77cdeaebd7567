"""A package of somebody else's, as docs/plugins.md shows it, found by its entry points and used from a recipe."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text()
LINES = 60

PARROT = '''
from typing import ClassVar

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.scripted import Scripted


class Parrot(EngineOptions):
    """Says something that hangs on the seed."""

    kind: ClassVar[str] = "parrot"

    def open(self) -> Scripted:
        return Scripted(lambda request: "well " * (request.seed % 5 + 1), name="parrot")
'''

RECIPE = """
name: theirs
engine: parrot
sources:
  asked:
    file: asked.jsonl
    stages:
      - titles
      - shouting: {max_share: 0.3}
      - best_of_n: {n: 4, reward: short}
datasets: [preference]
holdout: 0
"""

ASKED = ["Why is the sky blue at noon?", "WHY IS THE SKY BLUE?", "Name a fish that swims upstream."]


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)
    return str(text)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder to work in, with the package installed as pip would leave it."""
    (tmp_path / "my_package.py").write_text(block("python"))
    (tmp_path / "parrot.py").write_text(PARROT)
    about = tmp_path / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    declared = re.sub(r'\[project\.entry-points\."([\w.]+)"\]', r"[\1]", block("toml")).replace('"', "")
    (about / "entry_points.txt").write_text(f"{declared}\n[tuneworks.engines]\nparrot = parrot:Parrot\n")
    (tmp_path / "asked.jsonl").write_text("\n".join(json.dumps({"prompt": p}) for p in ASKED))
    (tmp_path / "theirs.yaml").write_text(RECIPE)
    return tmp_path


def call(place: Path, *words: str, status: int = 0) -> str:
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [sys.executable, "-m", "tuneworks", *words]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_package_is_short() -> None:
    code = [line for line in block("python").splitlines() if line.strip()]
    assert len(code) < LINES


def test_its_generator_reward_and_filter_work_from_a_recipe(place: Path) -> None:
    call(place, "build", "theirs.yaml")
    (titles,) = place.glob("runs/theirs/*-asked-titles/records.parquet")
    assert all(json.loads(meta)["title"].startswith("well") for meta in pl.read_parquet(titles)["meta"])
    (gone,) = place.glob("runs/theirs/*-asked-shouting/rejected.parquet")
    assert pl.read_parquet(gone)["reason"].str.ends_with("of the letters are capitals").to_list() == [True]
    pairs = pl.read_parquet(place / "runs/theirs/dataset/preference/train.parquet")
    words = pl.element().struct.field("content").str.split(" ").list.len()
    lengths = pairs.select(*(pl.col(side).list.eval(words).list.first() for side in ("chosen", "rejected")))
    assert pairs.height and (lengths["chosen"] < lengths["rejected"]).all()


def test_its_kinds_are_listed_and_their_options_checked(place: Path) -> None:
    listed = call(place, "kinds")
    assert "titles" in listed and "Drop prompts that are mostly capital letters." in listed
    (place / "theirs.yaml").write_text(RECIPE.replace("max_share", "max_shares"))
    complaint = call(place, "build", "theirs.yaml", status=2)
    assert "theirs.yaml, line 9: shouting has no option 'max_shares'; did you mean 'max_share'?" in complaint
