"""The packaged seed tasks, and files of seed tasks of one's own."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.factory.language import language_of
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.seeds import BUILTIN, read_seeds, seeds_file, task_prompt

NAMES = [("builtin", 175, "en"), ("builtin-zh", 60, "zh")]


@pytest.mark.parametrize(("name", "count", "language"), NAMES)
def test_the_packaged_seeds(name: str, count: int, language: str) -> None:
    seeds = read_seeds(name, "made")
    assert len(seeds) == count
    assert len({seed.id for seed in seeds}) == count
    assert len({seed.meta["instruction"] for seed in seeds}) == count
    assert len({seed.meta["kind"] for seed in seeds}) >= 12
    assert all(seed.source == "made" for seed in seeds)
    assert all(len(seed.answers) == 1 and seed.answers[0].by == "seed" and seed.answers[0].text for seed in seeds)
    assert language_of(" ".join(seed.prompt_text for seed in seeds)) == language
    labels = Counter(bool(seed.meta["is_classification"]) for seed in seeds)
    assert min(labels.values()) >= 7, "Self-Instruct shows examples of both"


def lines_of(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in seeds_file(name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", ["builtin", "builtin-zh"])
def test_the_packaged_files(name: str) -> None:
    tasks = lines_of(name)
    fields = {"id": str, "kind": str, "instruction": str, "input": str, "output": str, "is_classification": bool}
    for task in tasks:
        assert {name: type(value) for name, value in task.items()} == fields
        assert all(str(task[field]).strip() == task[field] != "" for field in ("instruction", "output"))
    assert len({task["id"] for task in tasks}) == len(tasks)


RED_TEAM = [("red-team", 66, "en"), ("red-team-zh", 34, "zh")]


@pytest.mark.parametrize(("name", "count", "language"), RED_TEAM)
def test_the_packaged_red_team_prompts(name: str, count: int, language: str) -> None:
    seeds = read_seeds(name, "red")
    assert len(seeds) == count == len({seed.id for seed in seeds}) == len({seed.prompt_text for seed in seeds})
    assert all(language_of(seed.prompt_text) == language and not seed.answers for seed in seeds)
    kinds = Counter(str(seed.meta["kind"]) for seed in seeds)
    assert 0.3 < kinds["borderline"] / count < 0.4, "about a third is fine and only looks borderline"
    assert set(kinds) == {str(line["kind"]) for line in lines_of("red-team")} and len(kinds) >= 10
    lines = lines_of(name)
    assert all(set(line) == {"id", "kind", "instruction"} for line in lines)
    assert len({line["id"] for line in lines}) == count


DOCUMENTS = {"documents": 24, "documents-zh": 8}


def test_every_builtin_name_is_tested() -> None:
    assert set(BUILTIN) == {*(name for name, _, _ in [*NAMES, *RED_TEAM]), *DOCUMENTS}


@pytest.mark.parametrize(("name", "count"), DOCUMENTS.items())
def test_documents_are_texts_of_several_sentences(name: str, count: int) -> None:
    texts = [record.prompt_text for record in read_seeds(name, "")]
    assert len(texts) == len(set(texts)) == count
    assert all(record.meta["document"] is True and not record.answers for record in read_seeds(name, ""))
    assert all(len(re.findall(r"[.。!！?？]", text)) >= 3 for text in texts)


def write(folder: Path, *lines: str | bytes) -> str:
    path = folder / "seeds.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return str(path)


def test_fields_of_a_line(tmp_path: Path) -> None:
    task = {"instruction": " Add. ", "input": "2, 3\n", "output": " 5", "is_classification": True, "kind": "sums"}
    (seed,) = read_seeds(write(tmp_path, "", json.dumps(task)), "mine")
    assert seed == Record.born(
        "Add.\n\n2, 3",
        answers=[Answer("5", by="seed")],
        source="mine",
        meta={"instruction": "Add.", "input": "2, 3", "is_classification": True, "kind": "sums", "line": 2},
    )


def test_an_instruction_is_enough(tmp_path: Path) -> None:
    path = write(tmp_path, '{"instruction": "Name a fish."}', '{"instruction": "Name a bird.", "output": null}')
    seeds = read_seeds(path, "mine")
    assert [(s.prompt_text, s.answers) for s in seeds] == [("Name a fish.", ()), ("Name a bird.", ())]


def test_the_published_layout_of_self_instruct(tmp_path: Path) -> None:
    instances = [{"input": "2, 3", "output": "5"}, {"input": "1, 1", "output": "2"}]
    line = json.dumps({"id": "s", "name": "sum", "instruction": "Add.", "instances": instances})
    (seed,) = read_seeds(write(tmp_path, line), "mine")
    assert seed.prompt_text == "Add.\n\n2, 3"
    assert seed.answers[0].text == "5"


def test_lines_may_hold_any_character(tmp_path: Path) -> None:
    text = "One\u2028two\x85three\x0bfour"
    (seed,) = read_seeds(write(tmp_path, json.dumps({"instruction": text}, ensure_ascii=False)), "mine")
    assert seed.prompt_text == text


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (seed,) = read_seeds(write(tmp_path, b'\xef\xbb\xbf{"instruction": "Name a fish."}'), "mine")
    assert seed.prompt_text == "Name a fish."


GOOD = '{"instruction": "Name a fish."}'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "holds no task; write one a line"),
        (["", "  "], "holds no task"),
        ([GOOD, "", "{instruction: x}"], r"line 3 of .*seeds.jsonl is not JSON"),
        ([GOOD, '"Name a fish."'], "line 2 of .* is not an object"),
        ([GOOD, '{"input": "x"}'], "line 2 of .* has no instruction"),
        (['{"instruction": "  "}'], "line 1 of .* has no instruction"),
        (['{"instruction": ["Name a fish."]}'], "line 1 of .*instruction is not text"),
        (['{"instruction": "Add.", "output": 5}'], "line 1 of .*output is not text"),
        (['{"instruction": "Add.", "instances": [{"input": 5, "output": "5"}]}'], "line 1 of .*input is not text"),
        ([GOOD, b'{"instruction": "caf\xe9"}'], "cannot be read: it is not UTF-8"),
    ],
)
def test_mistakes_name_their_line(lines: list[str | bytes], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_seeds(write(tmp_path, *lines), "mine")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.jsonl cannot be read: No such file.*name a JSON Lines file"):
        read_seeds(str(tmp_path / "nowhere.jsonl"), "mine")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_seeds(str(tmp_path), "mine")


def test_how_an_instruction_and_its_input_are_laid_out() -> None:
    assert task_prompt("Add.", "2, 3") == "Add.\n\n2, 3"
    assert task_prompt("Add.", "") == "Add."
