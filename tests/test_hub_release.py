"""A release: which files of a run go to a Hub, as they were written, and without what leads to this machine."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
import yaml
from hub_run import built_run, list_again, local_files

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.hub.release import Going, release

KEY = "sk-" + "q7RtM2xW9bLp4VnZc8KdYs3HgJf6TuEa"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(tmp_path: Path, built: Path) -> Path:
    return shutil.copytree(built, tmp_path / "runs" / built.name)


def content(file: Going) -> bytes:
    return file.content.read_bytes() if isinstance(file.content, Path) else file.content


def refusal(run: Path) -> str:
    with pytest.raises(InputError) as raised:
        release(run)
    return str(raised.value)


def test_what_the_manifest_names_goes_and_the_manifest_and_the_recipe(run: Path) -> None:
    made = release(run)
    assert made.run == "scripted" and made.stay == ()
    assert {file.name: content(file) for file in made.files} == local_files(run)
    for file in made.files:
        assert (file.size, file.sha256) == (len(content(file)), sha256(content(file)).hexdigest())


@pytest.mark.parametrize("name", ["README.md", "sft/train.parquet"])
def test_a_file_that_was_changed_is_named(run: Path, name: str) -> None:
    path = run / "dataset" / name
    path.write_bytes(path.read_bytes() + b" ")
    assert refusal(run) == (
        f"the file {path} is not what the manifest says: it was changed after it was written; build the dataset again, "
        "then push"
    )
    path.unlink()
    assert refusal(run) == f"the file {path} is gone; build the dataset again, then push"


@pytest.mark.parametrize("name", ["../journal.sqlite", "/etc/hosts", "journal.sqlite-wal", "lock", ".env", "x.csv", ""])
def test_a_manifest_that_names_what_is_no_file_of_a_dataset(run: Path, name: str) -> None:
    path = run / "dataset" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert refusal(run).endswith(f"names {name!r}, which is no file of a dataset; build it again")


def test_a_link_out_of_the_dataset_does_not_go(run: Path) -> None:
    path = run / "dataset" / "sft" / "train.parquet"
    path.rename(run / "train.parquet")
    path.symlink_to(run / "train.parquet")
    assert "names 'sft/train.parquet', which is no file of a dataset" in refusal(run)


def test_what_lies_beside_stays(run: Path) -> None:
    for name in ("journal.sqlite", ".env", "sft/notes.txt"):
        (run / "dataset" / name).write_text("x")
    assert release(run).stay == (".env", "journal.sqlite", "sft/notes.txt")


def test_a_journal_under_the_name_of_a_table_does_not_go(run: Path) -> None:
    shutil.copy(run / "journal.sqlite", run / "dataset" / "x.parquet")
    list_again(run)
    assert f"a file of the run {run} cannot be read" in refusal(run)


def test_a_run_without_a_dataset_or_with_one_of_an_earlier_version(run: Path) -> None:
    manifest = run / "dataset" / "manifest.json"
    again = f"with: tuneworks build {run}/recipe.yaml --runs {run.parent}"
    for text in ("{", "[]", '{"files": {}, "rows": {}}'):
        manifest.write_text(text)
        assert refusal(run) == (
            f"the manifest {manifest} is broken or of an earlier version; remove {run}/dataset and write it {again}"
        )
    manifest.unlink()
    assert refusal(run) == f"the run {run} has no dataset yet; finish it {again}"


def test_a_recipe_that_cannot_be_read(run: Path) -> None:
    (run / "recipe.yaml").write_bytes(b"\xff")
    assert f"a file of the run {run} cannot be read" in refusal(run)
    (run / "recipe.yaml").write_text("a: [")
    assert f"a file of the run {run} cannot be read" in refusal(run)


def with_engine(run: Path, **options: str) -> None:
    """As if another engine had answered: it stands in the recipe, and somebody wrote it into the card."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["engine"] = {"openai": options}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    card = run / "dataset" / "README.md"
    card.write_text(f"{card.read_text()}\nMade by {json.dumps(recipe['engine'])}.\n")
    list_again(run)


def test_paths_of_this_machine_go_as_names_and_the_manifest_knows_the_card_that_goes(run: Path) -> None:
    with_engine(run, model=f"{run.parent}/models/mine")
    before = local_files(run)
    files = {file.name: content(file) for file in release(run).files}
    assert yaml.safe_load(files["recipe.yaml"])["engine"] == {"openai": {"model": "mine"}}
    assert str(run.parent).encode() not in b"".join(files.values()) and b'"mine"' in files["README.md"]
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"]["README.md"] == sha256(files["README.md"]).hexdigest()
    assert manifest == json.loads(before["manifest.json"]) | {"files": manifest["files"]}
    assert local_files(run) == before


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"model": "m", "base_url": "http://me:" + "secret@host/v1"}, "a link with a login in it (user:password@)"),
        ({"model": KEY}, "an OpenAI key sk-***"),
    ],
)
def test_a_recipe_with_a_secret_is_refused_by_its_line(run: Path, options: dict[str, str], what: str) -> None:
    with_engine(run, **options)
    said = refusal(run)
    lines = (run / "recipe.yaml").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "://" in line or KEY in line)
    assert said == (
        f"line {number} of recipe.yaml holds {what}, so nothing was pushed; take it out of the recipe, build again "
        "with --update and push then"
    )
    assert not any(value in said for value in options.values() if len(value) > 1)


def test_a_row_with_a_secret_is_refused_by_its_number(run: Path) -> None:
    path = run / "dataset" / "sft" / "train.parquet"
    table = pl.read_parquet(path)
    rows = table.to_dicts()
    rows[3]["completion"][0]["content"] = f"Use {KEY} for it."
    pl.DataFrame(rows, schema=table.schema).write_parquet(path)
    list_again(run)
    assert refusal(run) == (
        "row 4 of sft/train.parquet holds an OpenAI key sk-***, so nothing was pushed; add the filter secrets to the "
        "recipe's stages, build again with --update and push then"
    )
