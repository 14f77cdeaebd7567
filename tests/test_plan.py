"""Plans, their keys, the marker, and what is said about a dataset that cannot be trained on."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tiny_model import toy_records, write_dataset

from tuneworks.factory.errors import InputError
from tuneworks.trainers.plan import (
    DONE,
    Earlier,
    Plan,
    Split,
    held_out_ids,
    is_trained,
    mark_done,
    splits,
    weights_of,
)
from tuneworks.trainers.sft import Sft

PLAN = Plan("sft", {"args": {"max_steps": 2}}, 0, Split("a/train.parquet", 4, "11"), Split("a/t", 2, "22"), "")


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    for plan in (PLAN, replace(PLAN, test=None)):
        plan.write(tmp_path)
        assert Plan.read(tmp_path) == plan


def test_the_key_is_about_content_and_not_about_places() -> None:
    assert replace(PLAN, train=Split("b/train.parquet", 4, "11")).key == PLAN.key
    others = [
        replace(PLAN, kind="quality"),
        replace(PLAN, options={"args": {"max_steps": 3}}),
        replace(PLAN, seed=1),
        replace(PLAN, train=Split("a/train.parquet", 4, "12")),
        replace(PLAN, test=None),
        replace(PLAN, weights="33"),
    ]
    assert len({plan.key for plan in [PLAN, *others]}) == 7


def test_only_the_same_plan_counts_as_trained(tmp_path: Path) -> None:
    assert not is_trained(tmp_path, PLAN)
    mark_done(tmp_path, PLAN)
    assert is_trained(tmp_path, PLAN)
    assert not is_trained(tmp_path, replace(PLAN, seed=1))
    for broken in ("{", "[]", "{}", json.dumps({"plan": None})):
        (tmp_path / DONE).write_text(broken)
        assert not is_trained(tmp_path, PLAN)


def test_splits_are_found_with_their_rows_and_hashes(tmp_path: Path) -> None:
    write_dataset(tmp_path, toy_records(6), toy_records(2, 50))
    train, test = splits(tmp_path, "sft", ("prompt", "completion"))
    assert (train.rows, len(train.sha256)) == (6, 64)
    assert test is not None
    assert test.rows == 2
    assert test.sha256 != train.sha256


def test_a_test_split_that_is_missing_or_empty_is_none(tmp_path: Path) -> None:
    write_dataset(tmp_path, toy_records(6))
    assert splits(tmp_path, "sft", ("prompt",))[1] is None
    pl.read_parquet(tmp_path / "sft/train.parquet").head(0).write_parquet(tmp_path / "sft/test.parquet")
    assert splits(tmp_path, "sft", ("prompt",))[1] is None


def test_a_missing_split_names_the_file_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"preference/train\.parquet.*datasets: \[preference\]"):
        splits(tmp_path, "preference", ("prompt",))


def test_no_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    pl.DataFrame({"prompt": [], "completion": []}).write_parquet(tmp_path / "sft/train.parquet")
    with pytest.raises(InputError, match=r"train\.parquet has no rows to train on"):
        splits(tmp_path, "sft", ("prompt", "completion"))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    pl.DataFrame({"messages": ["a"], "text": ["b"]}).write_parquet(tmp_path / "sft/train.parquet")
    with pytest.raises(InputError, match=r"no column prompt \(it has messages, text\)"):
        splits(tmp_path, "sft", ("prompt", "completion"))


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/train.parquet").write_text("not Parquet")
    with pytest.raises(InputError, match=r"train\.parquet cannot be read as Parquet"):
        splits(tmp_path, "sft", ("prompt",))


def test_the_weights_of_a_folder_change_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("1")
    first = weights_of(str(tmp_path))
    assert first == weights_of(str(tmp_path))
    (tmp_path / "metrics.json").write_text("2")
    assert weights_of(str(tmp_path)) != first
    assert weights_of("some/model-on-the-hub") == ""
    assert weights_of("smollm2") == ""


def test_a_phase_is_watched_by_the_held_out_rows_of_its_own_sources(tmp_path: Path) -> None:
    write_dataset(tmp_path, toy_records(6), toy_records(4, 50))
    (tmp_path / "sft/train.parquet").rename(tmp_path / "sft/broad.parquet")
    ids = pl.read_parquet(tmp_path / "sft/test.parquet")["id"].to_list()
    (tmp_path / "held_out.json").write_text(json.dumps({"broad": ids[:3], "talk": []}))
    columns = ("prompt", "completion")
    test = splits(tmp_path, "sft", columns, "broad")[1]
    assert test is not None and test.rows == 3
    assert held_out_ids(test.file, "broad") == frozenset(ids[:3])
    assert held_out_ids(test.file, "train") is None
    (tmp_path / "sft/broad.parquet").rename(tmp_path / "sft/talk.parquet")
    assert splits(tmp_path, "sft", columns, "talk")[1] is None


def test_a_training_that_follows_needs_a_whole_one_and_changes_with_it(tmp_path: Path) -> None:
    data, into = write_dataset(tmp_path / "data", toy_records(6), toy_records(2, 50)), tmp_path / "models/sft-2"
    trainer, first = Sft(follows="sft"), tmp_path / "models/sft"
    with pytest.raises(InputError, match=r"sft-2 begins from the model of sft, and .*/sft is not whole; train"):
        trainer.plan(data, 0, into)
    first.mkdir(parents=True)
    earlier = Sft().plan(data, 0)
    earlier.write(first)
    mark_done(first, earlier)
    plan = trainer.plan(data, 0, into)
    assert plan.options["model"] == str(first)
    assert plan.earlier == (Earlier("sft", str(data / "sft/test.parquet"), "train", "sft", earlier.train, "all"),)
    plan.write(first.parent)
    assert Plan.read(first.parent) == plan
    (tmp_path / "models").rename(tmp_path / "elsewhere")
    assert trainer.plan(data, 0, tmp_path / "elsewhere/sft-2").key == plan.key
    (tmp_path / "elsewhere/sft/metrics.json").write_text("{}")
    assert trainer.plan(data, 0, tmp_path / "elsewhere/sft-2").key != plan.key
