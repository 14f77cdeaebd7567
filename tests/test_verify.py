"""Verifying: a whole release, each kind of damage, and the page that tells it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from scripted_line import scripted_recipe
from test_dataset import records

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.dataset import MANIFEST, sha256, write_dataset
from tuneworks.pipelines.release.verify import Verified, belongs, verified
from tuneworks.pipelines.release.verify_page import show


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "dataset"
    folder.parent.mkdir()
    write_dataset(records(30), scripted_recipe(), folder)
    return folder


def page(found: Verified) -> str:
    file = io.StringIO()
    show(Console(file=file, width=200), found)
    return file.getvalue()


def with_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_release_as_it_was_written_is_whole(dataset: Path) -> None:
    found = verified(str(dataset))
    manifest = json.loads((dataset / MANIFEST).read_text())
    assert found.whole and found.files == len(manifest["files"])
    assert found.rows == sum(count for splits in manifest["rows"].values() for count in splits.values())
    assert f"{dataset} is whole: {found.files} files" in page(found)


def test_a_run_stands_for_its_dataset_and_may_be_named(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "recipe.yaml").write_text("name: run\n")
    assert verified(str(tmp_path / "run")) == verified("run", tmp_path) == verified(str(dataset))


def test_a_changed_byte_is_told(dataset: Path) -> None:
    text = (dataset / "README.md").read_text()
    (dataset / "README.md").write_text(text.replace("train", "trian", 1))
    found = verified(str(dataset))
    assert not found.whole and found.changed == ("README.md",)
    assert "is not whole" in page(found) and "changed" in page(found)


def test_missing_and_extra_files_are_told(dataset: Path) -> None:
    (dataset / "sft" / "train.parquet").rename(dataset / "sft" / "other.parquet")
    found = verified(str(dataset))
    assert (found.missing, found.extra) == (("sft/train.parquet",), ("sft/other.parquet",))
    assert found.miscounted == (), "a missing file is not told twice"
    assert not found.whole and "not in the manifest" in page(found)


def test_what_the_hub_and_the_system_add_is_not_extra(dataset: Path) -> None:
    (dataset / ".gitattributes").write_text("*.parquet filter=lfs")
    (dataset / ".cache").mkdir()
    (dataset / ".cache" / "x").write_text("")
    (dataset / "recipe.yaml").write_text("name: run")
    assert verified(str(dataset)).whole


def test_a_truncated_file_is_told_as_such(dataset: Path) -> None:
    path = dataset / "sft" / "train.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    found = verified(str(dataset))
    assert found.changed == ("sft/train.parquet",)
    (broken,) = found.unreadable
    assert broken.name == "sft/train.parquet" and broken.why and "\n" not in broken.why
    assert found.miscounted == () and "cannot be read" in page(found)


def test_rows_are_counted_even_where_hashes_agree(dataset: Path) -> None:
    path = dataset / "sft" / "train.parquet"
    table = pl.read_parquet(path)
    table.head(5).write_parquet(path)
    with_manifest(dataset, lambda manifest: manifest["files"].update({"sft/train.parquet": sha256(path)}))
    found = verified(str(dataset))
    assert found.changed == () and not found.whole
    (miscount,) = found.miscounted
    assert (miscount.configuration, miscount.split, miscount.said, miscount.held) == ("sft", "train", table.height, 5)
    assert f"sft/train: 5 rows, and the manifest says {table.height}" in page(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "manifest.json is broken: "),
        ('{"files": {"README.md": "', "manifest.json is broken: "),
        ("[1]", "no files with their hashes"),
        ('{"files": {}, "rows": {}}', "no files with their hashes"),
        ('{"files": {"README.md": "x"}, "rows": {"sft": {"train": "many"}}}', "no rows by configuration"),
        ('{"files": {"../run": "x"}, "rows": {}}', "it names the file ../run, which lies outside"),
    ],
)
def test_a_broken_manifest_is_told(dataset: Path, text: str, says: str) -> None:
    (dataset / MANIFEST).write_text(text)
    found = verified(str(dataset))
    assert not found.whole and found.manifest is not None and says in found.manifest
    assert found.extra == () and found.rows > 0


def test_a_missing_manifest_is_told(dataset: Path) -> None:
    (dataset / MANIFEST).unlink()
    found = verified(str(dataset))
    assert found.manifest == "manifest.json is missing" and not found.whole
    assert "manifest.json is missing" in page(found)


def test_a_hidden_file_that_the_manifest_names_is_checked(dataset: Path) -> None:
    with_manifest(dataset, lambda manifest: manifest["files"].update({".hidden": "0" * 64}))
    assert verified(str(dataset)).missing == (".hidden",)
    (dataset / ".hidden").write_text("x")
    assert verified(str(dataset)).changed == (".hidden",)


def test_shards_belong_to_their_split() -> None:
    assert belongs("sft/train.parquet", "sft", "train")
    assert belongs("sft/train-00000-of-00002.parquet", "sft", "train")
    assert not belongs("sft/train-2.parquet", "sft", "train") and not belongs("sft/test.parquet", "sft", "train")
    assert not belongs("sft/trainXparquet", "sft", "train")


def test_bad_places_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run or folder nothing; give one"):
        verified("nothing", tmp_path)
    (tmp_path / "recipe.yaml").write_text("name: run")
    with pytest.raises(InputError, match="has no dataset yet; go on with: tuneworks build"):
        verified(str(tmp_path))
    with pytest.raises(InputError, match="is a file; name the folder"):
        verified(str(tmp_path / "recipe.yaml"))
