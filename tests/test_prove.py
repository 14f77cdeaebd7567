"""`tuneworks prove`: trained on the toy model, kept, gone on with, and told in one table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proved_run import proved, tasks
from rich.console import Console
from test_cli import run
from tiny_model import build_tiny_model

from tuneworks.factory.errors import InputError, TuneworksError
from tuneworks.pipelines.proving import Proof, Wanted, page, prove
from tuneworks.pipelines.proving.verdicts import told


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def shown(proof: Proof) -> str:
    console = Console(width=110, record=True)
    page.show(console, proof)
    return console.export_text()


def proof_of(folder: Path) -> Any:
    return json.loads((folder / "prove/prove.json").read_text())


@pytest.mark.real
def test_good_answers_beat_bad_ones_and_a_trial_is_never_done_twice(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "runs/proved"
    recipe = proved(folder, tasks())
    said: list[str] = []
    wanted = Wanted(["kept", "rejected"], seeds=2, tokens=800, model=model)
    proof = prove(recipe, folder, wanted, said.append)
    lines = {line.arm: line for line in proof.told}
    assert list(lines) == ["base", "kept", "rejected"]
    assert lines["kept"].loss < lines["base"].loss - 0.03
    assert lines["rejected"].difference is not None and lines["rejected"].difference.mean > 0.03
    assert all(line.tokens == 800 for line in proof.told[1:]) and lines["base"].tokens == 0

    results = [json.loads(file.read_text()) for file in (folder / "prove/results").glob("*.json")]
    trials = [result for result in results if result["arm"] != "base"]
    assert len(trials) == 4 and {(t["tokens"], t["steps"]) for t in trials} == {(800, 8)}
    content = proof_of(folder)
    assert len(content["held_out"]) == proof.held_out == 15
    losses = [row["losses"]["kept"] for row in content["held_out"]]
    assert np.mean(losses) == pytest.approx(lines["kept"].loss)
    assert any(line.startswith("4 trainings, each on 800 tokens in 8 steps") for line in said)
    assert any(line.startswith("1 of 4: kept, seed 0: held-out loss") for line in said)

    one = sorted((folder / "prove/results").glob("*.json"))
    dates = {file: file.stat().st_mtime_ns for file in one}
    lost = next(f for f in one if json.loads(f.read_text())["arm"] == "rejected")
    before = json.loads(lost.read_text())
    lost.unlink()
    said.clear()
    again = prove(recipe, folder, wanted, said.append)
    assert "3 of 4 trainings are done already" in said
    assert json.loads(lost.read_text())["losses"] == pytest.approx(before["losses"])
    assert {f: f.stat().st_mtime_ns for f in one if f != lost} == {f: dates[f] for f in one if f != lost}
    assert shown(again) == shown(proof)


def test_a_model_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    recipe = proved(tmp_path / "run", tasks())
    with pytest.raises(TuneworksError, match=r"there is no model '\./nowhere'"):
        prove(recipe, tmp_path / "run", Wanted(model="./nowhere"), lambda line: None)
    assert not (tmp_path / "run/prove").exists()


@pytest.mark.real
def test_seeds_begin_alike_in_all_arms_and_the_model_forgets(tmp_path: Path, model: str) -> None:
    from tuneworks.trainers.trials.learner import Learner
    from tuneworks.trainers.trials.lessons import Encoded, lessons

    learner = Learner(model, lambda line: None)
    rows = [Encoded(str(n), list(range(3 + n, 43 + n)), 10) for n in range(12)]
    steps = lessons(rows, 400, 0)
    fresh = learner.losses(rows[:3], lambda tokens: None)
    first, after = learner.trial(rows, steps, rows[:3], 1, lambda tokens: None)
    assert np.mean(after) < np.mean(fresh)
    assert learner.losses(rows[:3], lambda tokens: None) == pytest.approx(fresh)
    again, _ = learner.trial(rows, steps, rows[:3], 1, lambda tokens: None)
    other, _ = learner.trial(rows, steps, rows[:3], 2, lambda tokens: None)
    assert again == pytest.approx(first)
    assert other[0] == pytest.approx(first[0]) and other[-1] != pytest.approx(first[-1], abs=1e-6)


@pytest.mark.real
def test_rows_in_a_pack_are_read_as_if_alone(model: str) -> None:
    import torch

    from tuneworks.trainers.trials.learner import Learner, Part

    learner = Learner(model, lambda line: None)
    parts = [Part(list(range(5, 45)), 12), Part(list(range(60, 70)), 4), Part(list(range(100, 200)), 90)]
    with torch.no_grad():
        packed = [float(loss) for loss in learner._losses(learner._base, parts)]
        alone = [float(learner._losses(learner._base, [part])[0]) for part in parts]
    assert learner._packs and packed == pytest.approx(alone, rel=5e-3)


def test_too_few_held_out_rows(tmp_path: Path) -> None:
    folder = tmp_path / "runs/proved"
    recipe = proved(folder, tasks(24))
    with pytest.raises(InputError, match="4 held-out rows are too few to tell anything, 8 are needed; raise holdout"):
        prove(recipe, folder, Wanted(), lambda line: None)


def test_the_table_says_which_stage_earned_its_place() -> None:
    rng = np.random.default_rng(0)
    kept = rng.normal(2, 0.5, (3, 40))
    losses = {
        "base": kept[:1] + 0.5,
        "kept": kept,
        "without made.rouge": kept + rng.normal(0.2, 0.1, (3, 40)),
        "without made.length": kept + rng.normal(0.0, 0.1, (3, 40)),
        "without made.cap": kept - 0.3,
    }
    found = told(losses, dict.fromkeys(losses, 50), 900, list(range(40)))
    verdicts = {line.arm: line.verdict for line in found}
    assert verdicts == {
        "base": "helps",
        "kept": None,
        "without made.rouge": "helps",
        "without made.length": "no difference told",
        "without made.cap": "hurts",
    }
    text = shown(Proof("r", "smollm2", 3, 900, 8, 40, found, ["A note."]))
    for words in (
        "Earned its place: made.rouge.",
        "Better without: made.cap.",
        "No difference told: made.length.",
        "training on the kept rows helps",
        "-0.3000",
        "smollm2, 3 seeds, 900 tokens each in 8 steps, measured on 40 held-out rows",
        "A note.",
    ):
        assert words in text


def test_mistakes_on_the_command_line_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proved(tmp_path / "runs/proved", tasks())
    monkeypatch.chdir(tmp_path)
    for arguments, says in (
        (["prove", "prooved"], "there are: proved"),
        (["prove", "proved", "--arms", "without rogue"], "there is no arm 'without rogue'"),
        (["prove", "proved", "--model", "no-such-model"], "there is no model 'no-such-model'"),
    ):
        assert run(monkeypatch, *arguments) == 2
        captured = capsys.readouterr()
        assert says in captured.err and captured.err.strip().count("\n") == 0
