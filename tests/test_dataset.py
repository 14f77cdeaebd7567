"""The dataset folder: splits by instruction, read by `datasets` as it lies."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from scripted_line import scripted_recipe

from tuneworks.factory.record import PAIR, PREFERRED, Answer, Record, fingerprint, to_table
from tuneworks.pipelines.dataset import sha256, write_dataset
from tuneworks.pipelines.recipe import parse_recipe

BETTER = {PAIR: 1.0, PREFERRED: 0.75}


def records(count: int) -> list[Record]:
    """Three records an instruction, two scored answers each."""
    return [
        Record.born(
            f"Task {n // 3}\n\ninput {n}",
            answers=[
                Answer(f"good {n}", "m", {"reward": 2.0, "step 1": 1.0}),
                Answer(f"bad {n}", "m", {"reward": 1.0}),
            ],
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


def sourced(**counts: int) -> list[Record]:
    """Records that have nothing to do with each other, so many of each source."""
    return [
        Record.born(f"Task {fingerprint([name, n])} of {fingerprint(n)}", answers=[Answer(f"done {n}")], source=name)
        for name, count in counts.items()
        for n in range(count)
    ]


PHASED = """
name: phased
sources: {a: {file: a.jsonl}, b: {file: b.jsonl}, c: {file: c.jsonl}}
mix:
  phases:
    broad: {sources: [a, b]}
    talk: {sources: [c], replay: 0.2}
holdout: {test: 0.1, validation: 0.1}
datasets: [sft]
"""


def test_phases_are_splits_and_the_later_one_replays_a_share_of_the_earlier(tmp_path: Path) -> None:
    records = sourced(a=30, b=30, c=40)
    rows = write_dataset(records, parse_recipe(PHASED, "r.yaml"), tmp_path / "dataset")["sft"]
    assert list(rows) == ["broad", "talk", "test", "validation"] and rows["test"] == rows["validation"] == 10
    ids = {name: pl.read_parquet(tmp_path / f"dataset/sft/{name}.parquet")["id"].to_list() for name in rows}
    of_c = {record.id for record in records if record.source == "c"}
    held = json.loads((tmp_path / "dataset/held_out.json").read_text())
    assert set(held["talk"]) == of_c & {*ids["test"], *ids["validation"]} and len(held["broad"] + held["talk"]) == 20
    own, replayed = [i for i in ids["talk"] if i in of_c], [i for i in ids["talk"] if i not in of_c]
    assert len(replayed) == round(len(own) / 4) and set(replayed) < set(ids["broad"])
    assert not of_c & set(ids["broad"]) and len(ids["broad"]) + len(own) == 80


@pytest.mark.real
def test_plain_text_is_carried_by_its_share_of_tokens(tmp_path: Path) -> None:
    recipe = parse_recipe(
        "name: p\nsources: {a: {file: a.jsonl}, wiki: {file: w.jsonl}}\nholdout: 0.1\ndatasets: [sft]\n"
        "pretraining: {source: wiki, share: 0.25}\n",
        "r.yaml",
    )
    documents = [Record.born(f"A text about the number {n}, " * 3, meta={"document": True}) for n in range(200)]
    rows = write_dataset(sourced(a=40), recipe, tmp_path / "dataset", to_table(documents).lazy())
    told = json.loads((tmp_path / "dataset/manifest.json").read_text())["pretraining"]
    assert rows["pretraining"] == {"train": told["rows"]} and told["rows"] > 5
    assert told["wanted"] == round(told["beside"] / 3) and abs(told["tokens"] - told["wanted"]) < 20
    table = pl.read_parquet(tmp_path / "dataset/pretraining/train.parquet")
    assert table.columns == ["id", "text"] and set(table["text"]) <= {d.prompt_text for d in documents}


def test_many_slices_are_put_together_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(records(60), scripted_recipe(), tmp_path / "whole")
    monkeypatch.setattr("tuneworks.pipelines.dataset.writing.SLICE", 7)
    write_dataset(records(60), scripted_recipe(), tmp_path / "cut")
    for path in (tmp_path / "whole").rglob("*.parquet"):
        assert pl.read_parquet(path).equals(pl.read_parquet(tmp_path / "cut" / path.relative_to(tmp_path / "whole")))
