"""Exports: which files a target gets, what is set aside, and that a folder is whole or not there."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from export_dataset import build_dataset, file_records, record

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.pipelines.exports import TARGETS, Exported, export
from tuneworks.trainers.rows import VIEWS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dataset(tmp_path_factory.mktemp("run") / "dataset")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def found(written: list[Exported], configuration: str, split: str = "train") -> Exported:
    (one,) = [e for e in written if (e.configuration, e.split) == (configuration, split)]
    return one


@pytest.mark.parametrize("to", TARGETS)
def test_every_row_is_written_or_counted_with_a_reason(data: Path, tmp_path: Path, to: str) -> None:
    written = export(data, to, tmp_path / "out")
    for table in data.glob("*/*.parquet"):
        one = found(written, table.parent.name, table.stem)
        assert one.rows + sum(one.set_aside.values()) == pl.read_parquet(table).height
        assert (one.path is not None) == (one.rows > 0)
        if one.path is not None:
            assert one.path.is_file()
    assert not (tmp_path / "out.part").exists()
    manifest = json.loads((tmp_path / "out/export.json").read_text())
    assert {*manifest["files"], "export.json"} == files(tmp_path / "out")


def test_configurations_and_splits_come_in_their_usual_order(data: Path, tmp_path: Path) -> None:
    written = export(data, "trl", tmp_path / "out")
    assert [(e.configuration, e.split) for e in written] == [(v, s) for v in VIEWS for s in ("train", "test")]


def test_a_form_that_a_target_lacks_is_said(data: Path, tmp_path: Path) -> None:
    one = found(export(data, "openai", tmp_path / "out"), "unpaired")
    assert (one.path, one.set_aside) == (None, {"openai has no form for unpaired": 24})


@pytest.mark.parametrize("to", ["alpaca", "sharegpt", "llamafactory"])
def test_conversations_that_do_not_alternate_are_set_aside_and_not_bent(tmp_path: Path, to: str) -> None:
    odd = [
        (Message("user", "A fish?"), Message("user", "Or two?")),
        (Message("user", "A fish?"), Message("system", "Be short."), Message("user", "Or two?")),
        (Message("system", " "), Message("user", "A fish?")),
        (Message("user", "A fish?"), Message("assistant", ""), Message("user", "Or two?")),
    ]
    records = [Record.born(prompt, answers=[Answer("Eel.")]) for prompt in odd]
    one = found(export(file_records(tmp_path / "d", train=[*records, record(2)]), to, tmp_path / "out"), "sft")
    assert one.rows == 1
    assert one.set_aside == {
        "its turns do not alternate between user and assistant": 1,
        "a system turn stands inside the conversation": 1,
        "its turn of the system has no text": 1,
        "its turn of the assistant has no text": 1,
    }


def test_openai_takes_no_training_file_of_under_ten_examples(tmp_path: Path) -> None:
    folder = file_records(tmp_path / "d", train=[record(n) for n in range(6)], test=[record(9)])
    written = export(folder, "openai", tmp_path / "out")
    reason = "openai takes no training file of under 10 rows, and this has 6"
    assert found(written, "sft").set_aside == {reason: 6}
    assert found(written, "quality").rows >= 10
    assert "sft_train.jsonl" not in files(tmp_path / "out")
    assert found(written, "sft", "test").rows == 1


def test_an_export_of_nothing_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    folder = file_records(tmp_path / "d", train=[Record.born("A fish?")])
    assert files(folder) == {"prompts/train.parquet"}
    with pytest.raises(InputError, match=r"written for alpaca \(1 because alpaca has no form for prompts\)"):
        export(folder, "alpaca", tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"d"}


@pytest.mark.parametrize("to", ["llamafactory", "axolotl", "trl"])
def test_each_training_has_a_configuration_that_names_its_files(data: Path, tmp_path: Path, to: str) -> None:
    written = export(data, to, tmp_path / "out", model="some/model")
    for name in ("sft", "quality", "preference", "unpaired"):
        text = (tmp_path / "out" / f"{name}.yaml").read_text()
        start = found(written, name).start
        assert f"{name}.yaml" in start
        assert text.startswith(f"# {start}\n")
        options = yaml.safe_load(text)
        assert "some/model" in options.values()
        assert options["output_dir"] == f"../models/{to}-{name}"
        assert options["eval_strategy"] == "epoch"
    assert {e.start for e in written if e.split == "test" or e.path is None} == {""}


@pytest.mark.parametrize("to", ["llamafactory", "axolotl", "trl"])
def test_a_dataset_without_held_out_rows_is_not_measured_on_any(tmp_path: Path, to: str) -> None:
    export(file_records(tmp_path / "d", train=[record(0)]), to, tmp_path / "out")
    text = (tmp_path / "out/sft.yaml").read_text()
    assert "eval" not in text
    assert "test" not in text


def test_validation_comes_before_test(tmp_path: Path) -> None:
    folder = file_records(tmp_path / "d", train=[record(0)], validation=[record(1)], test=[record(2)])
    export(folder, "llamafactory", tmp_path / "out")
    assert yaml.safe_load((tmp_path / "out/sft.yaml").read_text())["eval_dataset"] == "sft_validation"


@pytest.mark.parametrize("to", ["llamafactory", "axolotl", "trl"])
def test_each_phase_of_a_mixture_is_a_training_of_its_own(tmp_path: Path, to: str) -> None:
    folder = file_records(tmp_path / "d", easy=[record(0)], hard=[record(1)], test=[record(2)])
    written = export(folder, to, tmp_path / "out")
    assert [e.start[-13:] for e in written[:3]] == ["sft_easy.yaml", "sft_hard.yaml", ""]
    easy = (tmp_path / "out/sft_easy.yaml").read_text()
    assert "easy" in easy
    assert "hard" not in easy
    assert "eval_strategy: epoch" in easy


@pytest.mark.real
def test_the_card_says_which_file_is_which_split(tmp_path: Path) -> None:
    from datasets import load_dataset

    folder = file_records(tmp_path / "d", easy=[record(0)], hard=[record(1), record(3)], test=[record(2)])
    export(folder, "trl", tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out/dataset"), "sft", cache_dir=str(tmp_path / "cache"))
    assert {split: len(loaded[split]) for split in loaded} == {"easy": 1, "hard": 2, "test": 1}


def test_trl_gets_plain_text_for_pretraining_too(tmp_path: Path) -> None:
    folder = file_records(tmp_path / "d", train=[record(0)])
    (folder / "pretraining").mkdir()
    pl.DataFrame({"id": ["a"], "text": ["A text."]}).write_parquet(folder / "pretraining/train.parquet")
    assert found(export(folder, "trl", tmp_path / "out"), "pretraining").rows == 1
    assert found(export(folder, "alpaca", tmp_path / "other"), "pretraining").rows == 0


def test_trl_gets_the_files_byte_for_byte(data: Path, tmp_path: Path) -> None:
    export(data, "trl", tmp_path / "out")
    for table in data.glob("*/*.parquet"):
        assert (tmp_path / "out/dataset" / table.relative_to(data)).read_bytes() == table.read_bytes()


def test_an_earlier_export_is_replaced_whole(data: Path, tmp_path: Path) -> None:
    export(data, "alpaca", tmp_path / "out")
    export(data, "trl", tmp_path / "out")
    assert not any(name.endswith("train.json") for name in files(tmp_path / "out"))


def test_a_folder_with_other_things_in_it_is_refused_and_kept(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(data, "alpaca", out)
    (out / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"out holds mine\.txt, which no export wrote; give a new folder"):
        export(data, "trl", out)
    (tmp_path / "other").mkdir()
    for name in ("a", "b"):
        (tmp_path / "other" / name).write_text("kept")
    with pytest.raises(InputError, match="other holds a and 1 other files, which no export wrote"):
        export(data, "trl", tmp_path / "other")
    assert (out / "mine.txt").read_text() == (tmp_path / "other/a").read_text() == "kept"
    assert "sft_train.json" in files(out)


def test_a_failed_export_leaves_the_earlier_one(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(data, "trl", out)
    before = files(out)
    broken = tmp_path / "broken/sft"
    broken.mkdir(parents=True)
    (broken / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"train\.parquet cannot be read .*build the run's dataset again"):
        export(broken.parent, "alpaca", out)
    assert files(out) == before
    assert not (tmp_path / "out.part").exists()


def test_bad_input_is_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no export to 'vicuna'; write one of alpaca, sharegpt"):
        export(data, "vicuna", tmp_path / "out")
    with pytest.raises(InputError, match=r"holds no configuration/split\.parquet; give the folder `dataset`"):
        export(tmp_path, "alpaca", tmp_path / "out")
    with pytest.raises(InputError, match="lies in the dataset itself"):
        export(data, "alpaca", data / "alpaca")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"out cannot be written \(Not a directory\); give another folder"):
        export(data, "alpaca", tmp_path / "file/out")
    with pytest.raises(InputError, match="is a file; give a new folder"):
        export(data, "alpaca", tmp_path / "file")
    (tmp_path / "odd/sft").mkdir(parents=True)
    pl.DataFrame({"id": ["a"], "prompt": ["text"]}).write_parquet(tmp_path / "odd/sft/train.parquet")
    with pytest.raises(InputError, match="is no sft: look at its prompt, completion; build the run's dataset again"):
        export(tmp_path / "odd", "alpaca", tmp_path / "out")


def test_a_configuration_of_no_known_view_is_said(tmp_path: Path) -> None:
    folder = file_records(tmp_path / "d", train=[record(0)])
    (folder / "plans").mkdir()
    pl.DataFrame({"id": ["a"]}).write_parquet(folder / "plans/train.parquet")
    written = export(folder, "trl", tmp_path / "out")
    assert found(written, "plans").set_aside == {"trl has no form for plans": 1}
