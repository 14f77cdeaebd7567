"""References: what a recipe may name, which texts are read, and what is said where none can be."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tuneworks.factory.errors import InputError, MissingExtra
from tuneworks.filters.reference import check_references, read_references, reference_files

ROWS = [
    {"question": "What is 2+2?", "answer": "4"},
    {"question": " ", "answer": ""},
    {"question": "Why?", "answer": "So"},
]
CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Tell a joke"},
    {"role": "assistant", "content": "Why?"},
    {"role": "user", "content": "Go on."},
    {"role": "assistant", "content": "No."},
]


def lines(path: Path, rows: list[object]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.jsonl": lambda path: lines(path, [*ROWS]),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress("\n".join(map(json.dumps, ROWS)).encode())),
    "a.json": lambda path: path.write_text(json.dumps(ROWS)),
    "a.json.gz": lambda path: path.write_bytes(gzip.compress(json.dumps(ROWS).encode())),
    "a.parquet": lambda path: pl.DataFrame(ROWS).write_parquet(path),
    "a.csv": lambda path: pl.DataFrame(ROWS).write_csv(path),
    "a.tsv": lambda path: path.write_text("What is 2+2?\t4\tx\n \t\tx\nWhy?\tSo\tx\n"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    WRITERS[name](file)
    check_references([str(file), f"{file}#answer"])
    questions, answers = read_references([str(file), f"{file}#answer"])
    assert (questions.rows, questions.texts) == ([1, 3], ["What is 2+2?", "Why?"])
    assert (answers.rows, answers.texts) == ([1, 3], ["4", "So"])
    assert questions.place(1) == answers.place(1) == f"{file} row 3"
    assert questions.prompt(0) == (("user", "What is 2+2?"),)
    assert reference_files([str(file), f"{file}#answer", "builtin", "hub:a/b"]) == (str(file), str(file))


def test_the_seeds() -> None:
    check_references(["builtin", "builtin-zh"])
    english, chinese = read_references(["builtin", "builtin-zh"])
    assert (len(english.texts), len(chinese.texts)) == (175, 60)
    assert english.place(0) == "builtin row 1"


def test_of_messages_the_last_user_message_counts_with_what_led_to_it(tmp_path: Path) -> None:
    sharegpt = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    rows: list[object] = [{"messages": CHAT}, {"messages": CHAT[:1]}, {"messages": sharegpt}, {"messages": None}, {}]
    (told,) = read_references([lines(tmp_path / "chat.jsonl", rows)])
    assert (told.rows, told.texts) == ([1, 3], ["Go on.", "Hi"])
    assert [content for _, content in told.prompt(0)] == ["Be kind.", "Tell a joke", "Why?", "Go on."]
    assert told.prompt(1) == (("user", "Hi"),)
    pl.DataFrame({"prompt": [CHAT[:4]], "answers": [[{"text": "No."}]]}).write_parquet(tmp_path / "release.parquet")
    (release,) = read_references([str(tmp_path / "release.parquet")])
    assert release.texts == ["Go on."] and release.prompt(0) == told.prompt(0)


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", [{"text": "one"}])
    (first,) = read_references([file])
    assert read_references([file])[0] is first
    lines(Path(file), [{"text": "one"}, {"text": "two"}])
    assert read_references([file])[0].texts == ["one", "two"]


def test_a_name_may_hold_a_number_sign(tmp_path: Path) -> None:
    file = lines(tmp_path / "a#b.jsonl", [{"text": "one", "c": "two"}])
    assert [reference.texts for reference in read_references([file, f"{file}#c"])] == [["one"], ["two"]]


def test_halves_of_surrogate_pairs_can_be_written_down(tmp_path: Path) -> None:
    (odd,) = read_references([lines(tmp_path / "a.jsonl", [{"text": "a\ud800"}])])
    assert pl.Series(odd.texts).to_list() == ["a\ufffd"]


@pytest.mark.parametrize(
    ("rows", "column", "said"),
    [
        (ROWS, "#quest", "has no column quest; name one of those it has: question, answer"),
        ([{"a": "b"}], "", "#COLUMN, of: a"),
        ([["a"]], "", "of: none"),
        ([], "", "holds no rows"),
    ],
)
def test_what_the_first_row_shows_is_said_at_once(rows: list[object], column: str, said: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(InputError, match=said) as caught:
        check_references([file + column])
    assert file in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"text": "a"}, "b"], "row 2 of .* is no object"),
        ([{"text": "a"}, {"text": 7}], "row 2 of .* neither text nor chat messages"),
        ([{"text": ["a", "b"]}], "row 1 of .* neither text nor chat messages"),
        ([{"text": " "}, {"text": None}], "holds no text"),
    ],
)
def test_what_later_rows_show_is_said_when_they_are_read(rows: list[object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_references([lines(tmp_path / "a.jsonl", rows)])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.jsonl", "there is no file nowhere.jsonl"),
        ("README.md", "is of no kind that is read"),
        ("hub:gsm8k", "write hub:OWNER/NAME"),
    ],
)
def test_names_of_nothing(name: str, said: str) -> None:
    for ask in (check_references, read_references):
        with pytest.raises(InputError, match=said):
            ask([name])


def test_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_text("no")
    with pytest.raises(InputError, match="cannot be read"):
        check_references([str(file)])


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of two splits; `datasets` takes a folder's path for a dataset's name."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        lines(folder / f"{split}.jsonl", [{"question": f"{split}?", "answer": "yes"}])
    return "hub:owner/name"


def test_a_dataset(dataset: str) -> None:
    names = [dataset, f"{dataset}@train", f"{dataset}@train#answer", f"{dataset}/default#answer"]
    check_references(names)
    read = read_references(names)
    assert [reference.texts for reference in read] == [["test?"], ["train?"], ["yes"], ["yes"]]
    assert read[0].place(0) == "hub:owner/name row 1" and not reference_files(names)


@pytest.mark.parametrize(
    ("added", "said"),
    [("@dev", "has no split dev; name one with @: "), ("#no", "has no column no"), ("/other", "cannot be loaded")],
)
def test_a_dataset_without_what_is_named(dataset: str, added: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_references([dataset + added])


def test_a_dataset_out_of_reach(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="the dataset nobody/nothing cannot be loaded"):
        check_references(["hub:nobody/nothing"])


def test_a_dataset_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"needs the package datasets; .*tuneworks\[train\]"):
        check_references(["hub:owner/name"])
