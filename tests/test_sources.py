"""Files of records, in the layouts people have."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.sources import check_file, read_file

LAYOUTS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"instruction": "Add.", "input": "1 and 2", "output": "3"}, "Add.\n\n1 and 2", ["3"]),
    ({"instruction": "Add.", "input": None, "output": "3"}, "Add.", ["3"]),
    ({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}, "Hi", ["Hello"]),
    ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}, "Hi", ["Hello"]),
    ({"prompt": "Hi", "completion": "Hello"}, "Hi", ["Hello"]),
    ({"prompt": [{"role": "user", "content": "Hi"}]}, "Hi", []),
    ({"prompt": "Hi", "chosen": "Hello", "rejected": "No"}, "Hi", ["Hello", "No"]),
    (
        {
            "conversations": [{"from": "human", "value": "Hi"}],
            "chosen": {"from": "gpt", "value": "Hello"},
            "rejected": {"from": "gpt", "value": "No"},
        },
        "Hi",
        ["Hello", "No"],
    ),
]


@pytest.mark.parametrize(("row", "prompt", "answers"), LAYOUTS)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_layouts(tmp_path: Path, row: dict[str, Any], prompt: str, answers: list[str], suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    if suffix == ".parquet":
        pl.DataFrame([row]).write_parquet(path)
    else:
        path.write_text(json.dumps([row] if suffix == ".json" else row))
    (record,) = read_file(str(path), "mine")
    assert record.prompt_text == prompt and record.source == "mine"
    assert [a.text for a in record.answers] == answers
    if len(answers) == 2:
        assert record.answers[0].scores["reward"] > record.answers[1].scores["reward"]


def test_two_equal_rows_are_two_records(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"prompt": "Hi"}\n{"prompt": "Hi"}\n')
    first, second = read_file(str(tmp_path / "r.jsonl"), "s")
    assert first.id != second.id


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("r.jsonl", '{"prompt": "a"}\n{"prom', "line 2 of .* is not JSON"),
        ("r.jsonl", "[1]\n", "row 1 of .* is not an object"),
        ("r.jsonl", '{"question": "a"}\n', "none of instruction, messages, conversations or prompt; it has question"),
        ("r.jsonl", '{"instruction": ["a"]}\n', "instruction of row 1 .* is not text"),
        ("r.jsonl", '{"messages": [{"role": "robot", "content": "x"}]}\n', "a message without role"),
        ("r.jsonl", '{"prompt": "  "}\n', "has an empty prompt"),
        ("r.jsonl", "\n", "holds no rows"),
        ("r.json", "{}", "is not a list of rows"),
        ("r.json", "{", "is not JSON"),
        ("r.parquet", "no parquet", "cannot be read"),
    ],
)
def test_broken_files_are_named_with_their_row(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=says):
        read_file(str(tmp_path / name), "s")


def test_files_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        check_file(str(tmp_path / "gone.jsonl"))
    (tmp_path / "r.xlsx").write_text("")
    with pytest.raises(InputError, match=r"give a \.jsonl, \.json or \.parquet file"):
        check_file(str(tmp_path / "r.xlsx"))


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b'\xef\xbb\xbf{"prompt": "Hi"}\n')
    assert read_file(str(tmp_path / "r.jsonl"), "s")[0].prompt_text == "Hi"
