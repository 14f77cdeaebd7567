"""Whole tasks in one reply, however it is numbered and laid out."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Completion, Finish
from tuneworks.factory.form import Unreadable
from tuneworks.factory.self_instruct.items import Item, read_items
from tuneworks.factory.self_instruct.listing import BROKEN, CUT

LABELS = ("Instruction", "Input", "Output")
ZH = ("指令", "输入", "输出")
FISH = Item("Name a fish.", "", "Trout")
SUM = Item("Add these.", "2\n3", "5")


def whole(text: str, finish: Finish = "stop", labels: tuple[str, str, str] = LABELS) -> list[Item]:
    return [item for item in read_items(Completion(text, finish), labels) if item.reason is None]


@pytest.mark.parametrize(
    "text",
    [
        "Instruction: Name a fish.\nInput: none\nOutput: Trout\n\nInstruction: Add these.\nInput: 2\n3\nOutput: 5",
        "1. Instruction: Name a fish.\n1. Output: Trout\n\n2. Instruction: Add these.\n2. Input:\n2\n3\n2. Output:\n5",
        "###\n4. Instruction: Name a fish.\n4. Input:\n<noinput>\n4. Output:\nTrout\n###\n"
        "4. Instruction: Add these.\n4. Input:\n2\n3\n4. Output:\n5\n###",
        "**Task 1**\n**Instruction:** Name a fish.\n**Input:** N/A\n**Output:** Trout\n\n---\n\n**Task 2:**\n"
        "**instruction:** Add\nthese.\n**input**: 2\n3\n**OUTPUT:** 5",
        "7)\nInstructions: Name a fish.\nInput: (none)\nOutput: Trout\n1)\n"
        "Instructions： Add these.\nInput： 2\n3\nOutput: 5",
        json.dumps(
            {
                "tasks": [
                    {"instruction": "Name a fish.", "input": "", "output": "Trout"},
                    {"instruction": "Add these.", "input": "2\n3", "output": 5},
                ]
            }
        ),
        'Sure:\n```json\n[{"instruction": "Name a fish.", "input": null, "output": "Trout"},'
        ' {"output": "5", "instruction": " Add  these. ", "input": "2\\n3"}, ]\n```',
    ],
)
def test_tasks_are_read_whatever_the_numbers_say(text: str) -> None:
    assert whole(text) == [FISH, SUM]


def test_chinese() -> None:
    text = "任务1：\n指令：说出一种鱼。\n输入：无\n输出：鲤鱼\n\n任务2：\n指令：相加。\n输入：2\n3\n输出：5"
    assert whole(text, labels=ZH) == [Item("说出一种鱼。", "", "鲤鱼"), Item("相加。", "2\n3", "5")]


def test_of_a_reply_that_is_cut_off_the_last_task_alone_goes() -> None:
    text = "Instruction: Name a fish.\nInput: none\nOutput: Trout\n\nInstruction: Add these.\nInput: 2\n3\nOutput: 5"
    first, last = read_items(Completion(text, "length"), LABELS)
    assert (first, last) == (FISH, Item("Add these.", "2\n3", "5", CUT))
    written = json.dumps([{"instruction": "Name a fish.", "input": "", "output": "Trout"}] * 2)
    first, last = read_items(Completion(written[:-4], "length"), LABELS)
    assert first == FISH and last.reason == CUT and last.output.startswith('{"instruction"')
    assert read_items(Completion(written[:-4]), LABELS)[1].reason == BROKEN


@pytest.mark.parametrize("none", ["none", "No", "<noinput>", "N/A", "(empty)", "No input.", "无", ""])
def test_an_input_that_says_there_is_none_is_none(none: str) -> None:
    assert whole(f"Instruction: Name a fish.\nInput: {none}\nOutput: Trout") == [FISH]
    assert whole(f"Instruction: Name a fish.\nInput: {none} fish\nOutput: Trout")[0].given == f"{none} fish".strip()


def test_outputs_that_come_again_are_set_aside_together() -> None:
    items = read_items(Completion("Instruction: Name a fish.\nOutput: Trout" + "\nOutput: Carp" * 3, "length"), LABELS)
    assert items == [FISH, Item("", "", "Carp\nCarp\nCarp", "it comes again after the task's input or output")]


@pytest.mark.parametrize("said", [" Name a fish.\nOutput: Trout", "Instruction: Name a fish.\nOutput: Trout"])
def test_a_reply_goes_on_from_the_opening_or_says_it_again(said: str) -> None:
    assert read_items(Completion(said), LABELS, "Instruction:") == [FISH]
    assert read_items(Completion(json.dumps([{"instruction": "Name a fish.", "output": "Trout"}])), LABELS, "I:") == [
        FISH
    ]


def test_what_is_no_task_is_set_aside_with_a_reason() -> None:
    text = "Here they are.\nInstruction: Name a fish.\nOutput: Trout\nOutput: Carp\nInstruction: Why?\n"
    text += "Instruction:\nOutput: 5"
    reasons = [(item.output, item.reason) for item in read_items(Completion(text), LABELS)]
    assert reasons == [
        ("Here they are.", "it stands before the first task"),
        ("Trout", None),
        ("Carp", "it comes again after the task's input or output"),
        ("Why?", "the task lacks its output"),
        ("5", "its instruction is empty"),
    ]
    mixed = json.dumps({"tasks": [{"instruction": "Name a fish.", "output": "Trout"}, "b", {"input": 3}]})
    assert [item.reason for item in read_items(Completion(mixed), LABELS)] == [
        None,
        "it is no JSON object",
        "its instruction is no text",
    ]


def test_an_output_that_ends_in_a_number_keeps_it() -> None:
    text = "Instruction: Add these.\nOutput: The sum is\n5\n\nInstruction: List two.\nOutput: 1. a\n2. b"
    assert [item.output for item in whole(text)] == ["The sum is\n5", "1. a\n2. b"]
    lone = "Instruction: Add these.\nOutput: 5.\nInstruction: Add more.\nOutput: 6"
    assert [item.output for item in whole(lone)] == ["5.", "6"]


@pytest.mark.parametrize("text", ["", "I cannot.", "Output: 5", '{"tasks": []}', '{"tasks": [{"input": "a"', "[{"])
def test_a_reply_without_a_whole_task(text: str) -> None:
    with pytest.raises(Unreadable):
        read_items(Completion(text), LABELS)


WORD = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=6)
TEXT = st.lists(WORD, min_size=4, max_size=6).map(" ".join)
NUMBERS = st.sampled_from(["", "1. ", "3) ", "**", "### 2. ", "- ", "12、"])


@given(st.lists(st.tuples(TEXT, st.one_of(st.just(""), TEXT), TEXT, NUMBERS), min_size=1, max_size=5), st.booleans())
def test_what_was_written_is_what_is_read(tasks: list[tuple[str, str, str, str]], heading: bool) -> None:
    text = "\n\n".join(
        f"{'Task 3:' if heading else '###'}\n{mark}Instruction: {a}\n{mark}Input: {b or 'none'}\n{mark}Output: {c}"
        for a, b, c, mark in tasks
    )
    assert whole(text) == [Item(" ".join(a.split()), b, c) for a, b, c, _ in tasks]
    held = [{"instruction": a, "input": b, "output": c} for a, b, c, _ in tasks]
    assert whole(json.dumps({"tasks": held})) == [Item(" ".join(a.split()), b, c) for a, b, c, _ in tasks]


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text(alphabet='{}[]",:\\ \n\x00InstructionOutput*#1.\u202e\u05d0\ud800', max_size=300),
    st.lists(
        st.sampled_from(
            ["Instruction:", "Input:", "Output:", "\n", "qq", "1. ", "###", '{"tasks": [', '{"output": "qq"', "}", "]"]
        )
    ).map("".join),
)


@given(HOSTILE, st.sampled_from(["stop", "length"]))
def test_any_reply_is_read_or_refused_in_words(text: str, finish: Finish) -> None:
    try:
        items = read_items(Completion(text, finish), LABELS)
    except Unreadable as error:
        assert str(error)
        return
    for item in items:
        f"{item.instruction}{item.given}{item.output}".encode()
        assert item.reason is not None or item.instruction
    if '"tasks": [' not in text and not text.lstrip().startswith("["):
        assert sum(f"{i.instruction}{i.given}{i.output}".count("qq") for i in items) == text.count("qq")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["\n" * 200_000, "Input: " + " " * 200_000, "#" * 200_000, "\n###" * 50_000, "[{" * 99_999]
)
def test_a_huge_reply_is_read_in_no_time(text: str) -> None:
    for reply in (text, f"Instruction: Name a fish.{text}\nOutput: Trout{text}\nInstruction: Why?"):
        with contextlib.suppress(Unreadable):
            read_items(Completion(reply), LABELS)
