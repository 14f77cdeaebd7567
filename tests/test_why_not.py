"""Would a text be kept: the filters of a run judge it as one more record."""

import io
import sys
from pathlib import Path

import pytest
from filed_run import TASKS, filed
from test_cli import run as command

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.recipe import load_recipe
from tuneworks.pipelines.run_folder import RECIPE
from tuneworks.pipelines.stages import MEASURES
from tuneworks.pipelines.why_not import Judged, asked_record, judged


@pytest.fixture
def run(tmp_path: Path) -> Path:
    filed(tmp_path / "runs" / "filed")
    return tmp_path / "runs" / "filed"


def verdicts(folder: Path, text: str, answer: str | None = None, source: str | None = None) -> list[Judged]:
    return list(judged(load_recipe(str(folder / RECIPE)), folder, asked_record(text, answer), source))


def test_a_new_text_is_kept_by_every_filter(run: Path) -> None:
    found = verdicts(run, "Describe the smell of rain on warm stone.")
    assert [j.step for j in found] == ["mine.length", "mine.rouge", "exact_duplicates"]
    assert [j.reason for j in found] == [None] * 3


def test_a_text_too_close_names_the_record_that_stays_and_the_number(run: Path) -> None:
    length, rouge, _ = verdicts(run, "Write a short poem about a pond in winter.")
    assert length.reason is None
    assert rouge.reason is not None and "0.889" in rouge.reason
    assert rouge.nearest is not None and rouge.nearest.prompt_text == TASKS[0]
    assert rouge.score == pytest.approx(8 / 9)


def test_a_record_of_the_run_would_not_be_taken_twice(run: Path) -> None:
    assert [j.reason is None for j in verdicts(run, TASKS[3])] == [True, False, False]


def test_the_command_prints_it_and_says_how_it_would_end(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent.parent)
    assert command(monkeypatch, "why-not", "filed", "Write a short poem about a pond in winter.") == 0
    page = capsys.readouterr().out
    assert "It would go, at mine.rouge." in page and f"{TASKS[0]}" in page
    monkeypatch.setattr(sys, "stdin", io.StringIO("Describe the smell of rain on warm stone."))
    assert command(monkeypatch, "why-not", "filed", "-") == 0
    assert "It would be kept." in capsys.readouterr().out
    assert command(monkeypatch, "refilter", "filed", "--set", "rouge.max=0.95") == 0
    page = capsys.readouterr().out
    assert "0 go and 1 come back" in page and TASKS[1] in page and "Nothing is written" in page
    assert command(monkeypatch, "why-not", "filed", "Name a river.", "--source", "yours") == 2
    assert "it has: mine" in capsys.readouterr().err


def test_bytes_that_are_no_text_are_judged_too(run: Path) -> None:
    assert [j.reason for j in verdicts(run, "Describe the smell of caf\udcff at noon.", "\ud800")] == [None] * 3


def test_a_step_that_is_not_made_is_named(run: Path) -> None:
    (next(run.glob("*length")) / MEASURES).unlink()
    with pytest.raises(InputError, match=r"mine\.length of .* is not made"):
        verdicts(run, "Name a river.")
