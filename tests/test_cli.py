"""The command line as a person meets it: what works, and one sentence with exit status 2 for what does not."""

import json
import re
import sys
from pathlib import Path

import polars as pl
import pytest
from scripted_line import RECIPE, scripted_recipe
from test_run import built

from tuneworks.factory.errors import InputError
from tuneworks.pipelines import catalog
from tuneworks.pipelines.cli import main
from tuneworks.pipelines.cli.terminal import room_for

MADE_OF_FILE = """name: filed
sources:
  mine:
    file: {file}
    stages:
      - length: {{min_words: 1}}
datasets: [sft]
"""


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tuneworks", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_building_from_a_file_needs_no_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": f"Name {n} rivers.", "output": f"River {n}."} for n in range(1, 21)]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "r.yaml").write_text(MADE_OF_FILE.format(file="mine.jsonl"))
    assert run(monkeypatch, "build", "r.yaml") == 0
    out = capsys.readouterr().out
    assert "18" in out and "0 calls asked" in out and "tuneworks look" in out
    assert run(monkeypatch, "build", "r.yaml") == 0
    assert "already made" in capsys.readouterr().out


MISTAKES = [
    ("misspelt plugin", RECIPE.replace("- rouge", "- rogue"), "did you mean 'rouge'?"),
    ("misspelt option", RECIPE.replace("target:", "taget:"), "did you mean 'target'?"),
    ("wrong type", RECIPE.replace("cap: 10", "cap: lots"), "it must be a valid integer"),
    ("missing seeds", RECIPE.replace("seeds: builtin", "seeds: nowhere.jsonl"), "cannot be read: No such file"),
    ("empty seeds", RECIPE.replace("seeds: builtin", "seeds: empty.jsonl"), "holds no task"),
    ("broken line", RECIPE.replace("seeds: builtin", "seeds: broken.jsonl"), "line 2 of broken.jsonl is not JSON"),
    (
        "no instruction",
        RECIPE.replace("seeds: builtin", "seeds: lacking.jsonl"),
        "line 1 of lacking.jsonl has no instr",
    ),
    ("no key", RECIPE + "engine: {openai: {model: gpt}}\n", "OPENAI_API_KEY"),
    (
        "server down",
        RECIPE + "engine: {openai: {model: m, base_url: 'http://127.0.0.1:9/v1'}}\n",
        "no server answers at http://127.0.0.1:9/v1",
    ),
    ("no such model", RECIPE + "engine: {transformers: {model: ./nowhere}}\n", "there is no model './nowhere'"),
    ("missing file", MADE_OF_FILE.format(file="gone.jsonl"), "there is no file gone.jsonl"),
    ("unknown training argument", RECIPE + "train: [{sft: {args: {max_stepz: 2}}}]\n", "max_steps"),
]


@pytest.mark.parametrize(("text", "says"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_one_sentence_status_2_and_nothing_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    (folder / "empty.jsonl").write_text("\n")
    (folder / "broken.jsonl").write_text('{"instruction": "Name a river."}\n{"instruction": \n')
    (folder / "lacking.jsonl").write_text('{"input": "Only this."}\n')
    (folder / "r.yaml").write_text(text)
    assert run(monkeypatch, "build", "r.yaml") == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert "Traceback" not in captured.err and captured.err.strip().count("\n") == 0
    assert not (folder / "runs").exists()


def test_an_unwritable_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "blocked").write_text("")
    (folder / "mine.jsonl").write_text('{"prompt": "Hello there", "completion": "Hello."}\n')
    (folder / "r.yaml").write_text(MADE_OF_FILE.format(file="mine.jsonl"))
    assert run(monkeypatch, "build", "r.yaml", "--runs", "blocked") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_missing_extra_names_its_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuneworks.factory.engines import transformers

    monkeypatch.setattr(transformers, "find_spec", lambda name: None)
    (folder / "r.yaml").write_text(RECIPE)
    assert run(monkeypatch, "build", "r.yaml") == 2
    assert 'pip install "tuneworks[local]"' in capsys.readouterr().err


def test_a_run_made_by_another_recipe(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.jsonl").write_text('{"prompt": "Hello there", "completion": "Hello."}\n')
    (folder / "r.yaml").write_text(MADE_OF_FILE.format(file="mine.jsonl"))
    assert run(monkeypatch, "build", "r.yaml") == 0
    (folder / "r.yaml").write_text(MADE_OF_FILE.format(file="mine.jsonl") + "seed: 5\n")
    capsys.readouterr()
    assert run(monkeypatch, "build", "r.yaml") == 2
    assert "another recipe (it differs in seed)" in capsys.readouterr().err
    assert run(monkeypatch, "build", "r.yaml", "--update") == 0


def test_look_and_why_tell_a_rows_life(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = built(scripted_recipe(), folder / "runs" / "scripted")
    assert run(monkeypatch, "look", "scripted") == 0
    page = capsys.readouterr().out
    assert all(title in page for title, _ in result.steps)
    assert "Why made.self_instruct rejected" in page and "preference" in page

    row = pl.read_parquet(folder / "runs/scripted/dataset/sft/train.parquet").row(0, named=True)
    assert run(monkeypatch, "why", "scripted", row["id"][:10]) == 0
    page = capsys.readouterr().out
    assert row["completion"][0]["content"] in page and "made.rouge" in page and "reward" in page
    assert "Made from 8 records" in page
    assert "What was asked for the task" in page and "What was asked for the best answer" in page
    assert run(monkeypatch, "why", "scripted", "zzz") == 2
    assert "no record" in capsys.readouterr().err
    assert run(monkeypatch, "look", "scriptedd") == 2
    assert "there are: scripted" in capsys.readouterr().err


def test_init_writes_a_recipe_that_is_good_and_never_over_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuneworks.pipelines.recipe import load_recipe

    assert run(monkeypatch, "init", "mine.yaml") == 0
    assert load_recipe("mine.yaml").name == "mine"
    assert run(monkeypatch, "init", "mine.yaml") == 2
    assert "exists already" in capsys.readouterr().err


def test_kinds_lists_every_plugin_with_every_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "kinds") == 0
    page = capsys.readouterr().out
    for _, plugins in catalog.families():
        for kind, plugin in plugins.items():
            assert kind in page
            assert run(monkeypatch, "kinds", kind) == 0
            options = capsys.readouterr().out
            for name, field in plugin.model_fields.items():
                assert name in options
                assert field.description, f"{kind}.{name} has no docstring"
    assert run(monkeypatch, "kinds", "roug") == 2
    assert "did you mean 'rouge'?" in capsys.readouterr().err


def test_the_schema_is_one_and_knows_every_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "schema") == 0
    schema = json.loads(capsys.readouterr().out)
    shared = {"process_rewards", "process_trainers"}  # a kind of two families
    assert set(schema["$defs"]) == set(catalog.kinds(*catalog.BUILT_IN)) - {"process"} | shared
    assert "tuning" in schema["$defs"]["process_trainers"]["properties"]
    assert "tuning" not in schema["$defs"]["process_rewards"]["properties"]
    named = set(re.findall(r'"#/\$defs/(process[^"]*)"', json.dumps(schema)))
    assert named == shared
    assert schema["$defs"]["self_instruct"]["properties"]["target"]["minimum"] == 1


def test_version_and_printing_a_recipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("tuneworks ")
    assert run(monkeypatch, "recipe", "quickstart") == 0
    assert "name: quickstart" in capsys.readouterr().out


def test_mix_says_what_each_source_gives(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, count in (("few", 10), ("many", 90)):
        rows = [json.dumps({"prompt": f"Name {n} {name} fish."}) for n in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(rows))
    text = "name: m\nsources: {few: {file: few.jsonl}, many: {file: many.jsonl}}\nmix: {temperature: 2}\n"
    (folder / "m.yaml").write_text(text)
    assert run(monkeypatch, "build", "m.yaml") == 0
    assert run(monkeypatch, "mix", "m") == 0
    out = capsys.readouterr().out
    assert "25.0%" in out and "75.0%" in out and "40 records in the mixture." in out
    assert run(monkeypatch, "mix", "m", "--explain") == 0
    assert "its rate is 25.0%: its share of the sum over all sources, 10 ** (1/2)" in capsys.readouterr().out
    (folder / "runs/m/03-mix/done.json").unlink()
    assert run(monkeypatch, "mix", "m") == 2
    assert "are not mixed yet; make them with: tuneworks build" in capsys.readouterr().err


@pytest.mark.parametrize("layout", [["instruction", "output"], ["prompt"]])
def test_a_build_says_in_which_layout_it_read_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], layout: list[str]
) -> None:
    row = {name: f"Name a fish of {name}." for name in layout}
    (folder / "rows.jsonl").write_text(json.dumps(row))
    (folder / "m.yaml").write_text("name: m\nsources: {rows: {file: rows.jsonl}}\ndatasets: [sft]\n")
    assert run(monkeypatch, "build", "m.yaml") == 0
    read = {"instruction": "alpaca", "prompt": "prompt"}[layout[0]]
    assert f"rows.file: 1 kept, 0 rejected, read as {read} (" in capsys.readouterr().out


def test_a_full_disk_is_told_whoever_runs_into_it(tmp_path: Path) -> None:
    full, place = Path("/dev/full"), tmp_path / "run"
    with pytest.raises(InputError, match=f"the disk that holds {place} is full; make room"), room_for(place):
        pl.DataFrame({"a": range(100_000)}).lazy().sink_parquet(full)
    with pytest.raises(InputError, match="is full"), room_for(tmp_path), full.open("w") as file:
        file.write("x" * 100_000)
        file.flush()
    with pytest.raises(pl.exceptions.ColumnNotFoundError), room_for(tmp_path):
        pl.DataFrame({"a": [1]}).select("b")
