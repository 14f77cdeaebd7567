"""The dataset folder: splits by instruction, read by `datasets` as it lies."""

import json
from dataclasses import replace
from pathlib import Path

from scripted_line import scripted_recipe

from tuneworks.factory.record import PAIR, PREFERRED, Answer, Record
from tuneworks.pipelines.dataset import sha256, write_dataset

BETTER = {PAIR: 1.0, PREFERRED: 0.75}


def records(count: int) -> list[Record]:
    """Three records an instruction, two scored answers each."""
    return [
        Record.born(
            f"Task {n // 3}\n\ninput {n}",
            answers=[Answer(f"good {n}", "m", {"reward": 2.0}), Answer(f"bad {n}", "m", {"reward": 1.0})],
            source="s",
            meta={"instruction": f"Task {n // 3}"},
        )
        for n in range(count)
    ]


def test_datasets_reads_every_configuration(tmp_path: Path) -> None:
    from datasets import load_dataset

    counts = write_dataset(records(60), scripted_recipe(), tmp_path / "dataset")
    for name, rows in counts.items():
        loaded = load_dataset(str(tmp_path / "dataset"), name, cache_dir=str(tmp_path / "cache"))
        assert {side: len(loaded[side]) for side in loaded} == rows
        row = loaded["train"][0]
        assert row["prompt"][-1]["role"] == "user"
    pair = load_dataset(str(tmp_path / "dataset"), "preference", cache_dir=str(tmp_path / "cache"))["train"][0]
    assert pair["chosen"][0]["content"].startswith("good") and pair["rejected"][0]["content"].startswith("bad")
    assert pair["margin"] == 1.0 and pair["probability"] is None


def test_a_soft_label_comes_through_to_the_rows(tmp_path: Path) -> None:
    from datasets import load_dataset

    labelled = [
        r.with_answers([replace(r.answers[0], scores={PAIR: 0.0}), replace(r.answers[1], scores=BETTER)])
        for r in records(30)
    ]
    write_dataset([*labelled, *records(60)[30:]], scripted_recipe(), tmp_path / "dataset")
    rows = load_dataset(str(tmp_path / "dataset"), "preference", cache_dir=str(tmp_path / "cache"))
    found = {(row["margin"], row["probability"]) for side in rows for row in rows[side]}
    assert found == {(None, 0.75), (1.0, None)}


def test_the_manifest_holds_the_hash_of_every_file(tmp_path: Path) -> None:
    write_dataset(records(30), scripted_recipe(), tmp_path / "dataset")
    manifest = json.loads((tmp_path / "dataset" / "manifest.json").read_text())
    files = {str(p.relative_to(tmp_path / "dataset")) for p in (tmp_path / "dataset").rglob("*") if p.is_file()}
    assert set(manifest["files"]) == files - {"manifest.json"}
    assert all(sha256(tmp_path / "dataset" / name) == value for name, value in manifest["files"].items())


def test_the_same_records_give_the_same_bytes_and_none_give_no_files(tmp_path: Path) -> None:
    for name in "ab":
        write_dataset(records(30), scripted_recipe(), tmp_path / name)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    counts = write_dataset([], scripted_recipe(), tmp_path / "none")
    assert all(not any(rows.values()) for rows in counts.values())
    assert not list((tmp_path / "none").rglob("*.parquet"))
