"""The trainer's interface."""

from pathlib import Path
from typing import ClassVar

import pytest

from tuneworks.factory.weights import Say
from tuneworks.trainers.trainer import Trainer, silent


class Counts(Trainer):
    """Writes down how many files the dataset has."""

    kind: ClassVar[str] = "counts"
    rows: ClassVar[str] = "sft"
    plus: int = 0
    """Added to the count."""

    def train(self, dataset: Path, into: Path, seed: int = 0, say: Say = silent) -> None:
        into.mkdir()
        (into / "count").write_text(str(len(list((dataset / self.rows).iterdir())) + self.plus + seed))
        say("counted")


def test_a_trainer_is_its_options_and_one_verb(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/train.parquet").touch()
    said: list[str] = []
    trainer = Counts(plus=2)
    trainer.check()
    trainer.train(tmp_path, tmp_path / "out", seed=4, say=said.append)
    assert (tmp_path / "out/count").read_text() == "7"
    assert said == ["counted"]
    assert trainer.written() == {"counts": {"split": "train", "plus": 2}}
    assert Counts.family == "trainers"


def test_silent_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent("anything")
    assert capsys.readouterr() == ("", "")
