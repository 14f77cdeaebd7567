"""`tuneworks evaluate`: a toy model against what it was trained from, with a reward and a judge."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from test_cli import run
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.errors import EngineUnavailable, InputError
from tuneworks.factory.rewards.function import Function
from tuneworks.pipelines.evaluating import Evaluation, Wanted, evaluate, table
from tuneworks.pipelines.evaluating.page import composed, write_page
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.rows import CONTROLS
from tuneworks.trainers.sft import Sft

pytestmark = pytest.mark.real

SCORE = "def score(prompt, answer):\n    return float(sum(word in prompt for word in answer.split()))\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and a model trained on it."""
    folder = tmp_path_factory.mktemp("evaluate")
    data = write_dataset(folder / "data", toy_records(60), toy_records(20, 100))
    model = build_tiny_model(folder / "tiny")
    args = {"max_steps": 100, "per_device_train_batch_size": 8, "learning_rate": 5e-3, "bf16": False}
    train_here(Sft(model=model, tuning="full", args=args), data, folder / "models/sft")
    (folder / "score.py").write_text(SCORE)
    return folder


def wanted(place: Path, into: Path, **options: Any) -> Wanted:
    return Wanted(
        **{"model": str(place / "models/sft"), "run": None, "dataset": place / "data", "into": into, "times": 1}
        | options
    )


def asked_of(calls: dict[str, int], what: str, total: int) -> Any:
    def seen() -> None:
        calls[what] = calls.get(what, 0) + 1

    return seen


def shown(found: Evaluation) -> str:
    console = Console(width=100, record=True)
    table.show(console, found)
    return console.export_text()


def test_a_training_is_told_from_what_it_began_from(place: Path, tmp_path: Path) -> None:
    calls: dict[str, int] = {}
    options = {
        "reward": Function(file=str(place / "score.py")),
        "judge": Transformers(model=str(place / "tiny")),
    }
    found = evaluate(wanted(place, tmp_path, **options), lambda what, total: asked_of(calls, what, total))
    lines = {line.name: line for line in found.lines}
    loss = lines["of all rows"]
    assert loss.model is not None and loss.base is not None and loss.model < loss.base - 1
    assert loss.verdict == "better" and loss.items == 20
    assert lines["end by themselves"].verdict == "better"
    assert lines["by function"].verdict == "better"
    won = lines["preferred by function"]
    assert won.model is not None and won.base == 0.0 and won.model > 0
    # To the toy's tokenizer, A and B behind a space are the same first byte: it cannot judge, and that is said.
    assert "The judge compared 0 of 20 pairs of answers." in found.notes
    assert calls["sft"] == calls["tiny"] == 20 + 20 + lines["of all kinds"].items

    content = json.loads((tmp_path / "sft/evaluation.json").read_text())
    assert [line["name"] for line in content["lines"]] == [line.name for line in found.lines]
    answers = pl.read_parquet(tmp_path / "sft/answers.parquet")
    assert answers.height == 20 and answers["model_reward"].mean() == lines["by function"].model
    told = shown(found)
    assert "better" in told and "of all kinds" in told
    assert all(len(line) <= 100 for line in told.splitlines())
    page = write_page(found).read_text()
    assert page.count("<svg") >= 5 and "script-src" not in page and page == composed(found)


def test_the_losses_are_those_of_the_answers(place: Path, tmp_path: Path) -> None:
    import torch

    from tuneworks.trainers.loading import load_model, load_tokenizer

    found = evaluate(wanted(place, tmp_path, prompts=2, times=0), lambda what, total: lambda: None)
    model, tokenizer = load_model(str(place / "tiny"), {}).eval(), load_tokenizer(str(place / "tiny"), "tiny")
    losses = []
    for row in pl.read_parquet(place / "data/sft/test.parquet").iter_rows(named=True):
        before = str(tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True))
        start = len(tokenizer(before)["input_ids"])
        ids = torch.tensor([tokenizer(before + row["completion"][0]["content"])["input_ids"]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0]
        losses.append(float(torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[0, start:])))
    line = next(line for line in found.lines if line.name == "of all rows")
    assert line.base == pytest.approx(sum(losses) / len(losses), abs=1e-3)


def test_nothing_is_asked_twice_but_a_model_that_was_trained_again_is(place: Path, tmp_path: Path) -> None:
    small: dict[str, Any] = {"prompts": 4, "times": 0, "rows": 6}
    evaluate(wanted(place, tmp_path, **small), lambda what, total: lambda: None)

    def held() -> int:
        with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
            return int(journal.execute("SELECT count(*) FROM calls").fetchone()[0])

    before = held()
    assert before == 2 * (6 + 4)
    evaluate(wanted(place, tmp_path, **small), lambda what, total: lambda: None)
    assert held() == before
    metrics = place / "models/sft/metrics.json"
    metrics.write_text(metrics.read_text() + "\n")
    evaluate(wanted(place, tmp_path, **small), lambda what, total: lambda: None)
    assert held() == before + 6 + 4


def test_a_quality_model_is_asked_for_the_best_and_its_control_measured(place: Path, tmp_path: Path) -> None:
    """Beside what the training itself measured, with the end of the turn in the loss, under one control more."""
    from tuneworks.trainers.quality import Quality

    args = {"max_steps": 60, "per_device_train_batch_size": 8, "learning_rate": 3e-3, "bf16": False}
    trainer = Quality(model=str(place / "tiny"), tuning="full", args=args)
    train_here(trainer, place / "data", place / "models/quality")
    model = str(place / "models/quality")
    found = evaluate(wanted(place, tmp_path, model=model, times=0), lambda what, total: lambda: None)
    lines = {line.name: line for line in found.lines}
    nll = json.loads((place / "models/quality/metrics.json").read_text())["steering"]["nll"]["bad_answer"]
    bad = lines["bad answers asked for, not good"].difference
    assert bad is not None and bad.low > 0
    assert bad.mean == pytest.approx(nll["good_control"] - nll["bad_control"], rel=0.3)
    assert lines["good answers asked for, not bad"].items == lines["bad answers asked for, not good"].items
    prompts = [json.loads(request)["messages"] for request in requests_to(tmp_path, "models/quality")]
    assert all(messages[0] in ({"role": "system", "content": text} for text in CONTROLS["en"].values())
               for messages in prompts)  # fmt: skip


def requests_to(folder: Path, model: str) -> list[str]:
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        rows = journal.execute("SELECT request FROM calls WHERE engine LIKE ?", (f"%{model}@%",))
        return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "nowhere/at/all"}, "there is no model"),
        ({"model": "TINY"}, "nothing says what .* was trained from; .* --against MODEL"),
        ({"against": "SFT"}, "would be compared with itself"),
        ({"model": "REWARD"}, "it scores answers and gives none"),
        ({"model": "HALF"}, "is not finished"),
        ({"dataset": "EMPTY"}, "holds out no rows of sft to measure on; set holdout"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(
    place: Path, tmp_path: Path, options: dict[str, str], sentence: str
) -> None:
    folders = {"TINY": place / "tiny", "SFT": place / "models/sft", "REWARD": place / "models/reward",
               "HALF": place / "models/half", "EMPTY": tmp_path / "empty"}  # fmt: skip
    if options.get("model") in ("REWARD", "HALF"):
        folder, kind = folders[options["model"]], Reward if options["model"] == "REWARD" else Sft
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        kind(model=str(place / "tiny")).plan(place / "data", 0).write(folder)
        if kind is Reward:
            (folder / "done.json").write_text("{}")
    given: dict[str, Any] = {name: str(folders.get(value, value)) for name, value in options.items()}
    if "dataset" in given:
        given["dataset"] = Path(given["dataset"])
    with pytest.raises((InputError, EngineUnavailable), match=sentence):
        evaluate(wanted(place, tmp_path / "out", **given), lambda what, total: lambda: pytest.fail("asked"))


def test_the_command_says_what_is_missing(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(place / "models/sft")
    assert run(monkeypatch, "evaluate", model) == 2
    assert "name a run with --run" in capsys.readouterr().err
    data = ["--data", str(place / "data")]
    assert run(monkeypatch, "evaluate", model, *data, "--reward", "{clasifier: {model: x}}") == 2
    assert "--reward: there is no reward 'clasifier'; did you mean 'classifier'?" in capsys.readouterr().err
    assert run(monkeypatch, "evaluate", model, *data, "--reward", "judge") == 2
    assert "the reward judge asks a model, and none is named; name one with --judge" in capsys.readouterr().err


def test_the_command_measures_and_draws(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model, data = str(place / "models/sft"), ["--data", str(place / "data")]
    reward = f"{{function: {{file: {place / 'score.py'}}}}}"
    assert run(monkeypatch, "evaluate", model, *data, "--reward", reward, "--prompts", "4") == 0
    told = capsys.readouterr().out
    assert "held-out loss" in told and "The picture is in evaluations/sft/evaluation.html" in told
    assert (tmp_path / "evaluations/sft/evaluation.html").is_file()
