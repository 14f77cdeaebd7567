"""Forms: what a reply must hold, read out of JSON and plain text, however a model lays it out."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.form import Filled, Form, Unfilled, Unreadable, fill
from tuneworks.factory.record import Message, to_rejected_table

TASK = Form({"instruction": "Instruction", "input": "Input", "output": "Output"}, frozenset({"input"}))
LONE = Form({"prompt": "New prompt"})
WHOLE = {"instruction": "Name a fish.", "input": "", "output": "Trout"}
ASK = Request((Message("user", "Write a task."),))


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(WHOLE),
        f"Sure! Here it is:\n```json\n{json.dumps(WHOLE, indent=1)}\n```\nAnything else?",
        '{"instruction": "Name a fish.", "input": "", "output": "Trout",}',
        '{"output": "Trout", "instruction": " Name a fish. ", "input": "\\n", "more": [1]}',
        "Instruction: Name a fish.\nInput:\nOutput: Trout",
        "**Instruction:** Name a fish.\n**Input:**\n\n**Output:** Trout\n",
        "Here is one:\n1. instruction： Name a fish.\n2. INPUT: \n3. Output:\nTrout",
        "Instruction: Name a fish.\nInput:\nOutput: Trout\nInstruction: Name a bird.\nInput: \nOutput: Owl",
    ],
)
def test_a_whole_form_is_read(reply: str) -> None:
    assert TASK.read(reply) == WHOLE


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ('{"instruction": "Name a fish.", "inp', "no whole JSON object"),
        ('{"instruction": "Name a fish."}', "lacks input, output"),
        ('{"instruction": "Name a fish.", "input": "", "output": ["a"]}', "output is no text"),
        ('{"instruction": "Name a fish.", "input": "", "output": "  "}', "output is empty"),
        ('{"instruction": "Name\\u0000", "input": "", "output": "x"}', "instruction holds the control character"),
        ("Instruction: Name a fish.\nOutput: Trout", "lacks Input"),
        ("Instruction: Name a fish.\nInput: none\nOutput:", "output is empty"),
        ("I cannot do that.", "lacks Instruction, Input, Output"),
        ('{"instruction": ' + "[" * 100_000, "no whole JSON object"),
    ],
)
def test_half_a_form_is_never_filled_up(reply: str, complaint: str) -> None:
    with pytest.raises(Unreadable, match=complaint):
        TASK.read(reply)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Name a fish.", "Name a fish."),
        ("New prompt: Name a fish.", "Name a fish."),
        ('"Name a fish."', "Name a fish."),
        ("**New Prompt**:\nName a fish.", "Name a fish."),
        ("```\nName a fish.\n```", "Name a fish."),
        ('"Yes" or "no"', '"Yes" or "no"'),
        ('Say {"a": 1} in words.', 'Say {"a": 1} in words.'),
        ("Write `{x}` as a set: {", "Write `{x}` as a set: {"),
        ('{"prompt": "Name a fish."}', "Name a fish."),
    ],
)
def test_a_lone_text_is_the_whole_reply(reply: str, text: str) -> None:
    assert LONE.read(reply) == {"prompt": text}


HOSTILE = st.one_of(
    st.text(max_size=400),
    st.text(alphabet='{}[]",:\\ \nabInstructionOutput*`#1.\u202e\u05d0\ud800', max_size=400),
    st.lists(st.sampled_from(["Instruction:", "Input:", "Output:", "{", '"input":', "}", "\n", "x", "\x00"])).map(
        "".join
    ),
)


@given(HOSTILE)
def test_any_reply_is_read_or_refused_in_words(reply: str) -> None:
    for form in (TASK, LONE):
        try:
            texts = form.read(reply)
        except Unreadable as error:
            assert str(error)
        else:
            assert set(texts) == set(form.labels)
            for text in texts.values():
                text.encode()


@given(st.dictionaries(st.sampled_from(["instruction", "input", "output"]), st.text(min_size=1), min_size=3))
def test_what_was_written_as_json_is_what_is_read(texts: dict[str, str]) -> None:
    try:
        read = TASK.read(json.dumps(texts))
    except Unreadable as error:
        assert "is empty" in str(error) or "control character" in str(error)
    else:
        assert read == {name: text.strip() for name, text in texts.items()}


def test_a_reply_is_asked_again_with_another_seed_and_the_schema() -> None:
    replies = iter(["no", "{", json.dumps(WHOLE)])
    engine = Scripted(lambda r: next(replies), structured=True)
    made = asyncio.run(fill(TASK, ASK, engine, "en"))
    assert isinstance(made, Filled) and made.texts == WHOLE
    assert len({r.seed for r in engine.calls}) == 3
    assert all(json.loads(r.schema)["required"] == list(WHOLE) for r in engine.calls)
    assert engine.calls[0].messages[0].content.endswith('{"instruction": "...", "input": "...", "output": "..."}')


def test_a_plain_engine_gets_no_schema_but_the_layout() -> None:
    engine = Scripted(lambda r: "Instruction: a\nInput: b\nOutput: c")
    made = asyncio.run(fill(TASK, ASK, engine, "en"))
    assert isinstance(made, Filled) and made.texts["output"] == "c"
    assert engine.calls[0].schema == "" and "Instruction: ..." in engine.calls[0].messages[0].content


def test_after_the_last_try_the_raw_reply_is_kept() -> None:
    engine = Scripted(lambda r: f"nothing {r.seed} \ud83d")
    made = asyncio.run(fill(TASK, ASK, engine, "en", tries=2))
    assert isinstance(made, Unfilled) and made.reason == "the reply lacks Instruction, Input, Output (2 tries)"
    rejected = made.rejected("evol", "scripted", parents=("p",), meta={"round": 1})
    assert rejected.part == "reply" and rejected.record.parents == ("p",)
    row = to_rejected_table([rejected]).row(0, named=True)
    assert row["answers"][0]["text"].startswith(f"nothing {engine.calls[-1].seed}")


def test_what_the_check_refuses_is_asked_again() -> None:
    replies = iter(["same", "new"])
    made = asyncio.run(
        fill(LONE, ASK, Scripted(lambda r: next(replies)), "en", lambda t: "same" if t["prompt"] == "same" else None)
    )
    assert isinstance(made, Filled) and made.texts == {"prompt": "new"}


def test_a_cut_off_reply_is_not_read() -> None:
    made = asyncio.run(fill(LONE, ASK, Scripted(lambda r: Completion("Name a", "length")), "en", tries=1))
    assert isinstance(made, Unfilled) and "cut off" in made.reason and made.raw == "Name a"


def test_an_engine_that_fails_ends_it_and_one_that_is_gone_stops_the_run() -> None:
    def fails(request: Request) -> str:
        raise EngineError("it broke")

    def gone(request: Request) -> str:
        raise EngineUnavailable("no server")

    made = asyncio.run(fill(LONE, ASK, Scripted(fails), "en"))
    assert isinstance(made, Unfilled) and made.reason == "it broke" and not made.answered
    with pytest.raises(EngineUnavailable):
        asyncio.run(fill(LONE, ASK, Scripted(gone), "en"))


def test_a_second_try_of_a_cold_question_is_warm() -> None:
    engine = Scripted(lambda r: "")
    asyncio.run(fill(LONE, Request(ASK.messages, temperature=0), engine, "zh"))
    assert [r.temperature > 0 for r in engine.calls] == [False, True, True]
