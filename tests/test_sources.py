"""Files of records, in the layouts people have: every row a record, or set aside with the reason."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_line import scripted_recipe
from test_run import built

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Record, Rejected, to_rejected_table, to_table
from tuneworks.pipelines.sources import check_file, read_file
from tuneworks.pipelines.sources.layouts import parse
from tuneworks.pipelines.sources.turns import dialogue, where_they_part
from tuneworks.trainers.rows import sft_rows

HI, HELLO, NO = ({"role": r, "content": c} for r, c in (("user", "Hi"), ("assistant", "Hello"), ("assistant", "No")))
SYSTEM = {"role": "system", "content": "Be kind."}
MORE = [HI, HELLO, {"role": "user", "content": "And now?"}]


def shared(turns: Sequence[dict[str, str]], answer: str) -> str:
    names = {"user": "Human", "assistant": "Assistant"}
    said = [f"\n\n{names[t['role']]}: {t['content']}" for t in turns]
    return "".join(said) + f"\n\nAssistant: {answer}"


LAYOUTS: list[tuple[dict[str, Any], str, list[str], list[str]]] = [
    ({"instruction": "Add.", "input": "1 and 2", "output": "3"}, "alpaca", ["Add.\n\n1 and 2"], ["3"]),
    ({"instruction": "Add.", "input": None, "output": "3"}, "alpaca", ["Add."], ["3"]),
    (
        {"instruction": "Add.", "output": "3", "system": "Be kind.", "history": [["Hi", "Hello"]]},
        "alpaca",
        ["Be kind.", "Hi", "Hello", "Add."],
        ["3"],
    ),
    ({"instruction": "Add.", "chosen": "3", "rejected": "4"}, "preference", ["Add."], ["3", "4"]),
    ({"instruction": "Add.", "instances": [{"input": "1", "output": "2"}]}, "self_instruct", ["Add.\n\n1"], ["2"]),
    ({"messages": [HI, HELLO]}, "messages", ["Hi"], ["Hello"]),
    ({"messages": [SYSTEM, *MORE]}, "messages", ["Be kind.", "Hi", "Hello", "And now?"], []),
    ({"messages": [HI, HELLO], "label": True}, "kto", ["Hi"], ["Hello"]),
    (
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        "sharegpt",
        ["Hi"],
        ["Hello"],
    ),
    ({"prompt": "Hi", "completion": "Hello"}, "prompt", ["Hi"], ["Hello"]),
    ({"prompt": [HI], "completion": [HELLO]}, "prompt", ["Hi"], ["Hello"]),
    ({"prompt": [HI]}, "prompt", ["Hi"], []),
    ({"prompt": "Hi", "chosen": "Hello", "rejected": "No"}, "preference", ["Hi"], ["Hello", "No"]),
    ({"prompt": [HI], "chosen": [HELLO], "rejected": [NO]}, "preference", ["Hi"], ["Hello", "No"]),
    ({"chosen": [*MORE, HELLO], "rejected": [*MORE, NO]}, "implicit", ["Hi", "Hello", "And now?"], ["Hello", "No"]),
    (
        {"prompt": "Hi", "messages": [HI, HELLO], "chosen": [HI, HELLO], "rejected": [HI, NO], "score_chosen": 7.5},
        "preference",
        ["Hi"],
        ["Hello", "No"],
    ),
    (
        {
            "conversations": [{"from": "human", "value": "Hi"}],
            "chosen": {"from": "gpt", "value": "Hello"},
            "rejected": {"from": "gpt", "value": "No"},
        },
        "preference",
        ["Hi"],
        ["Hello", "No"],
    ),
    (
        {"chosen": shared(MORE, "A: yes.\n\nB: no."), "rejected": shared(MORE, "No")},
        "dialogue",
        ["Hi", "Hello", "And now?"],
        ["A: yes.\n\nB: no.", "No"],
    ),
    ({"text": "Salt keeps meat.\n\nSo does smoke."}, "document", ["Salt keeps meat.\n\nSo does smoke."], []),
    ({"document": "Salt keeps meat."}, "document", ["Salt keeps meat."], []),
    (
        {"question": "What is 2 + 3?", "answer": "5", "reasoning": "2 and 3 are 5."},
        "worked",
        ["What is 2 + 3?"],
        ["2 and 3 are 5.\n\nAnswer: 5"],
    ),
]


def load(path: Path) -> list[Record | Rejected]:
    return list(read_file(str(path), "mine", "mine.file"))


def kept(path: Path) -> list[Record]:
    return [item for item in load(path) if isinstance(item, Record)]


@pytest.mark.parametrize(("row", "layout", "prompt", "answers"), LAYOUTS)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", ".jsonl.gz", ".json.gz"])
def test_layouts(
    tmp_path: Path, row: dict[str, Any], layout: str, prompt: list[str], answers: list[str], suffix: str
) -> None:
    path = tmp_path / f"rows{suffix}"
    text = json.dumps([row] if ".json." in f"{suffix}." else row)
    if suffix == ".parquet":
        pl.DataFrame([row]).write_parquet(path)
    elif suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    (record,) = kept(path)
    assert [m.content for m in record.prompt] == prompt and record.source == "mine"
    assert record.meta["layout"] == layout and record.meta["row"] == 1
    assert [a.text for a in record.answers] == answers
    if len(answers) == 2:
        assert record.answers[0].scores["reward"] > record.answers[1].scores["reward"]


def test_tables_of_text(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('\ufeffprompt,completion,label\n"Say ""hi"",\ntwice","007",false\nName a fish.,,\n')
    first, second = load(tmp_path / "r.csv")
    assert isinstance(first, Record) and first.prompt_text == 'Say "hi",\ntwice'
    assert first.answers[0].text == "007" and first.answers[0].scores == {"reward": 0.0, "pair": 0.0}
    assert isinstance(second, Record) and not second.answers

    (tmp_path / "r.tsv").write_text('"Is it?"\\nOptions:\\n- yes\tyes\tIt is.\nWhat?\tthat\t\n')
    first, second = kept(tmp_path / "r.tsv")
    assert first.prompt_text == '"Is it?"\nOptions:\n- yes' and first.answers[0].text == "It is.\n\nAnswer: yes"
    assert second.answers[0].text == "Answer: that"


@pytest.mark.parametrize(("mark", "reward"), [(True, 1.0), (False, 0.0), ("yes", None)])
def test_a_label_is_the_reward_of_the_lone_answer(tmp_path: Path, mark: object, reward: float | None) -> None:
    rows = [{"messages": [HI, HELLO], "label": mark}, {"instruction": "Hi", "output": "Hello", "kto_tag": mark}]
    rows.append({"instruction": "Is it so?", "output": "Yes", "label": False})
    (tmp_path / "r.json").write_text(json.dumps(rows))
    first, second, task = kept(tmp_path / "r.json")
    assert first.answers[0].scores.get("reward") == second.answers[0].scores.get("reward") == reward
    assert task.answers[0].scores == {}, "a task's own label is no mark"
    trained_on = [row["prompt"][0]["content"] for row in sft_rows([first, second, task])]
    assert trained_on == (["Is it so?"] if mark is False else ["Hi", "Hi", "Is it so?"])


def test_every_instance_of_a_task_is_a_record(tmp_path: Path) -> None:
    instances = [{"input": "1", "output": "2"}, {"input": "2", "output": "3"}]
    (tmp_path / "r.jsonl").write_text(json.dumps({"instruction": "Add one.", "instances": instances}))
    first, second = kept(tmp_path / "r.jsonl")
    assert [first.answers[0].text, second.answers[0].text] == ["2", "3"]
    assert first.meta["instruction"] == second.meta["instruction"] == "Add one."


def test_two_equal_rows_are_two_records(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"prompt": "Hi"}\n\n{"prompt": "Hi"}\n')
    first, second = kept(tmp_path / "r.jsonl")
    assert first.id != second.id and second.meta["row"] == 3


SET_ASIDE: list[tuple[dict[str, Any], str]] = [
    ({"prompt": "  "}, "the prompt is empty"),
    ({"messages": []}, "the prompt is empty"),
    ({"text": "\n"}, "the prompt is empty"),
    ({"messages": [SYSTEM, HELLO]}, "the prompt is empty"),
    ({"instruction": "Add.", "output": " "}, "the output is empty"),
    ({"messages": [HI, {"role": "assistant", "content": ""}]}, "the answer is empty"),
    ({"question": "Why?", "answer": "", "reasoning": "So."}, "the answer is empty"),
    ({"messages": [HI], "label": True}, "it has a label and no answer that it marks"),
    ({"prompt": "Hi", "completion": [HI]}, "the completion is not the assistant's"),
    ({"prompt": "Hi", "chosen": "Hello", "rejected": ""}, "the rejected answer is empty"),
    ({"prompt": "Hi", "chosen": [HELLO], "rejected": []}, "the rejected answer is not the assistant's"),
    ({"prompt": [HI, HELLO], "chosen": "Hello", "rejected": "No"}, "the prompt ends with the turn of the assistant"),
    (
        {"chosen": [*MORE, HELLO], "rejected": [HI, NO, MORE[2], NO]},
        "chosen and rejected answer different prompts: they part at turn 2",
    ),
    (
        {"chosen": shared(MORE, "Hello"), "rejected": shared([HI], "No")},
        "chosen and rejected answer different prompts: they part at turn 2",
    ),
    (
        {"chosen": shared([HI], "Hello"), "rejected": "No, I will not."},
        "chosen and rejected answer different prompts: they part at turn 1",
    ),
    ({"chosen": shared([HI], ""), "rejected": shared([HI], "No")}, "the chosen answer is empty"),
]


@pytest.mark.parametrize(("row", "reason"), SET_ASIDE)
def test_a_row_that_cannot_be_used_is_set_aside(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    (tmp_path / "r.jsonl").write_text(f'{json.dumps(row)}\n{{"prompt": "Hi"}}\n')
    aside, good = load(tmp_path / "r.jsonl")
    assert isinstance(aside, Rejected) and aside.reason.startswith(reason)
    assert aside.stage == "mine.file" and aside.part == "record" and aside.record.meta["row"] == 1
    assert isinstance(good, Record)
    assert to_rejected_table([aside]).height == 1


def test_a_run_counts_the_rows_that_were_set_aside(tmp_path: Path) -> None:
    lines = [json.dumps({"chosen": shared([HI], f"Hello {n}"), "rejected": shared([HI], "No")}) for n in range(3)]
    bad = json.dumps({"chosen": shared(MORE, "Hello"), "rejected": shared([HI], "No")})
    (tmp_path / "r.jsonl").write_text("\n".join([*lines, bad]))
    recipe = scripted_recipe(f"name: rows\nsources: {{mine: {{file: {tmp_path / 'r.jsonl'}}}}}")
    (title, counts), *_ = built(recipe, tmp_path / "run").steps
    assert (title, counts.taken, counts.kept, counts.rejected, counts.aside) == ("mine.file", 4, 3, 1, 0)
    aside = pl.read_parquet(tmp_path / "run" / "01-mine-file" / "rejected.parquet").row(0, named=True)
    assert aside["stage"] == "mine.file" and aside["reason"].endswith("they part at turn 2")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("r.jsonl", '{"prompt": "a"}\n{"prom', "line 2 of .* is not JSON"),
        ("r.jsonl", "[" * 100_000, "line 1 of .* is not JSON"),
        ("r.jsonl", "[1]\n", "row 1 of .* is not an object"),
        ("r.jsonl", '{"question": "a"}\n', "row 1 of .* has question and lacks answer and reasoning; add them"),
        ("r.jsonl", "{}\n", "has no columns, and none of instruction, .* or chosen and rejected; rename its columns"),
        ("r.jsonl", '{"instruction": ["a"]}\n', "instruction of row 1 .* is not text"),
        ("r.jsonl", '{"instruction": "a", "instances": [1]}\n', "an instance of row 1 .* is not an object"),
        ("r.jsonl", '{"instruction": "a", "history": ["b"]}\n', "the history of row 1 .* is no list of pairs"),
        ("r.jsonl", '{"messages": [{"role": "robot", "content": "x"}]}\n', "a message without role"),
        ("r.jsonl", '{"messages": "hi"}\n', "the messages of row 1 .* are no list"),
        ("r.jsonl", '{"chosen": "a", "rejected": "b"}\n', "row 1 .* nothing says what was asked"),
        ("r.jsonl", "\n", "holds no rows"),
        ("r.json", "{}", "is not a list of rows"),
        ("r.json", "{", "is not JSON"),
        ("r.jsonl.gz", "no gzip", "cannot be read"),
        ("r.parquet", "no parquet", "cannot be read"),
        ("r.csv", "question\na\n", "row 1 of .* has question and lacks answer and reasoning; add them"),
        ("r.csv", "a,b\n1,2,3\n", "cannot be read"),
        ("r.tsv", "a\tb\n", "line 1 of .* has 2 columns"),
    ],
)
def test_broken_files_are_named_with_their_row(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=says):
        load(tmp_path / name)


def test_half_a_compressed_file_is_no_file(tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join(b'{"prompt": "Name fish number %d."}' % n for n in range(2000)))
    (tmp_path / "r.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "r.jsonl.gz")


def test_files_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        check_file(str(tmp_path / "gone.jsonl"))
    (tmp_path / "r.xlsx").write_text("")
    with pytest.raises(InputError, match=r"give one that ends in \.jsonl, \.jsonl\.gz"):
        check_file(str(tmp_path / "r.xlsx"))


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b'\xef\xbb\xbf{"prompt": "Hi"}\n')
    assert kept(tmp_path / "r.jsonl")[0].prompt_text == "Hi"


TURN = st.text(alphabet='abHA :.\n"é水\u202e\u2028', max_size=40).map(str.strip).filter(lambda t: "\n\n" not in t)


@given(st.lists(st.tuples(st.sampled_from(["Human", "Assistant"]), TURN), min_size=1, max_size=6))
def test_what_was_said_in_a_dialogue_is_read_whole(turns: list[tuple[str, str]]) -> None:
    text = "".join(f"\n\n{speaker}: {said}" for speaker, said in turns)
    roles = {"Human": "user", "Assistant": "assistant"}
    assert [(m.role, m.content) for m in dialogue(text)] == [(roles[speaker], said) for speaker, said in turns]


def test_a_name_inside_a_turn_begins_no_turn() -> None:
    said = "She wrote: Human: why?\nAssistant: because.\n\nThe Human: a study"
    assert [m.content for m in dialogue(f"\n\nHuman: {said}\n\nAssistant: Fine: good.")] == [said, "Fine: good."]


@given(st.lists(st.integers(0, 2), max_size=5), st.lists(st.integers(0, 2), max_size=5))
def test_conversations_part_at_the_first_turn_that_differs(one: list[int], other: list[int]) -> None:
    a, b = (dialogue("".join(f"\n\nHuman: {n}" for n in turns)) if turns else [] for turns in (one, other))
    parts = where_they_part(a, b)
    if parts is None:
        assert one == other
    else:
        assert one[: parts - 1] == other[: parts - 1] and one[parts - 1 : parts] != other[parts - 1 : parts]


TEXT = st.sampled_from(
    ["", "a", " ", "\ud83d", "\x00", "\n\nHuman: a\n\nAssistant: b", "\u202e\u05d0", "true", "x" * 9999]
)
TURNS = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "x"]), "content": TEXT}),
    st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": TEXT}),
    st.sampled_from([None, 1, {}, {"input": "a", "output": "b"}, ["a", "b"], [1, None]]),
)
VALUE: st.SearchStrategy[object] = st.one_of(
    TEXT, st.sampled_from([True, None, 0, 1.5]), TURNS, st.lists(TURNS, max_size=3)
)
NAMES = (
    *("instruction", "input", "output", "messages", "conversations", "prompt", "completion", "chosen", "rejected"),
    *("text", "label", "history", "system", "instances", "question", "answer", "reasoning"),
)
COLUMNS = st.sampled_from(NAMES)


@given(st.dictionaries(COLUMNS, VALUE, max_size=6))
def test_any_row_is_read_set_aside_or_refused_in_words(row: dict[str, object]) -> None:
    try:
        parsed = list(parse(row, "row 1"))
    except InputError as error:
        assert "row 1" in str(error)
        return
    assert parsed
    for one in parsed:
        record = Record.born(one.prompt, answers=one.answers, meta=one.facts)
        if one.reason is None:
            assert record.prompt_text.strip() and record.prompt[-1].role == "user"
            assert all(answer.text.strip() for answer in record.answers)
        assert to_table([record]).height == 1
