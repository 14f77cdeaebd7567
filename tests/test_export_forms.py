"""A row in the form of each target, and read back by our own reader of files."""

import json
from pathlib import Path
from typing import Any

import pytest
from export_dataset import build_dataset, record
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from tuneworks.factory.files import rows_of
from tuneworks.factory.record import Record
from tuneworks.pipelines.exports import alpaca, axolotl, export, llamafactory, openai, sharegpt
from tuneworks.pipelines.sources.layouts import parse
from tuneworks.trainers.rows import VIEWS

ASKED = "Name another fish, number 2.\nSay why."
HISTORY = [["Name a fish.", "The carp."]]


def row(view: str, number: int = 2) -> dict[str, Any]:
    return next(iter(VIEWS[view].rows([record(number)])))


def test_alpaca_has_earlier_turns_in_its_history() -> None:
    asked = {"id": record(2).id, "instruction": ASKED, "input": "", "system": "Be short.", "history": HISTORY}
    assert alpaca.answered(row("sft")) == {**asked, "output": "Trout 2: 鱒."}
    assert alpaca.paired(row("preference")) == {**asked, "chosen": "Trout 2: 鱒.", "rejected": "user"}
    assert llamafactory.labelled(alpaca.answered)(row("unpaired")) == {
        **asked,
        "output": "Trout 2: 鱒.",
        "kto_tag": True,
    }
    plain = alpaca.answered(row("sft", 0))
    assert isinstance(plain, dict)
    assert (plain["system"], plain["history"]) == ("", [])


def test_sharegpt_has_turns_from_human_gpt_and_system() -> None:
    form = sharegpt.paired(row("preference"))
    assert isinstance(form, dict)
    assert [turn["from"] for turn in form["conversations"]] == ["system", "human", "gpt", "human"]
    assert (form["chosen"], form["rejected"]) == (
        {"from": "gpt", "value": "Trout 2: 鱒."},
        {"from": "gpt", "value": "user"},
    )
    labelled = llamafactory.labelled(sharegpt.answered)(row("unpaired"))
    assert isinstance(labelled, dict)
    assert labelled["conversations"][-1] == {"from": "gpt", "value": "Trout 2: 鱒."}
    assert labelled["kto_tag"] is True


def test_the_control_of_quality_stands_in_the_system_turn() -> None:
    controlled = [r for r in (row("quality", n) for n in range(9)) if r["quality"] != "none"]
    for one in controlled:
        written, sent = alpaca.answered(one), openai.answered(one)
        assert isinstance(written, dict)
        assert isinstance(sent, dict)
        assert "Give a good answer." in written["system"]
        assert (sent["messages"][0]["role"], sent["messages"][0]["content"]) == ("system", written["system"])


def test_axolotl_trains_on_the_last_answer_alone() -> None:
    turns = axolotl.answered(row("sft"))["messages"]
    assert [(turn["role"], turn["train"]) for turn in turns] == [
        ("system", False),
        ("user", False),
        ("assistant", False),
        ("user", False),
        ("assistant", True),
    ]
    assert set(axolotl.paired(row("preference"))) == {"id", "prompt", "chosen", "rejected"}
    assert set(axolotl.labelled(row("unpaired"))) == {"id", "prompt", "completion", "label"}


def test_openai_gives_earlier_answers_no_weight() -> None:
    form = openai.answered(row("sft"))
    assert isinstance(form, dict)
    assert [(turn["role"], turn.get("weight")) for turn in form["messages"]] == [
        ("system", None),
        ("user", None),
        ("assistant", 0),
        ("user", None),
        ("assistant", None),
    ]


def problems(example: dict[str, Any]) -> list[str]:
    """What OpenAI's published check of a fine-tuning file finds."""
    turns = example["messages"]
    known = {"role", "content", "name", "function_call", "weight"}
    return [
        *("a missing or unknown key" for t in turns if not {"role", "content"} <= set(t) <= known),
        *("an unknown role" for t in turns if t["role"] not in ("system", "user", "assistant")),
        *("no content" for t in turns if not isinstance(t["content"], str) or not t["content"]),
        *([] if any(t["role"] == "assistant" for t in turns) else ["no assistant"]),
        *([] if turns[-1]["role"] == "assistant" else ["no answer at the end"]),
    ]


def test_openai_files_pass_its_published_check_and_its_own_types(tmp_path: Path) -> None:
    export(build_dataset(tmp_path / "d"), "openai", tmp_path / "out")
    messages = TypeAdapter(list[ChatCompletionMessageParam])
    lines = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in (tmp_path / "out").glob("*.jsonl")}
    assert set(lines) == {f"{name}_{split}" for name in ("sft", "quality", "preference") for split in ("train", "test")}
    for name, texts in lines.items():
        for example in map(json.loads, texts):
            if name.startswith("preference"):
                assert set(example) == {"input", "preferred_output", "non_preferred_output"}
                for side in ("preferred_output", "non_preferred_output"):
                    assert [turn["role"] for turn in example[side]] == ["assistant"]
                    whole = {"messages": [*example["input"]["messages"], *example[side]]}
                    assert problems(whole) == []
                    messages.validate_python(whole["messages"])
            else:
                assert problems(example) == []
                messages.validate_python([{k: v for k, v in t.items() if k != "weight"} for t in example["messages"]])


@pytest.mark.parametrize("to", ["alpaca", "sharegpt", "openai", "axolotl"])
def test_what_is_exported_is_read_as_the_same_prompts_and_answers(tmp_path: Path, to: str) -> None:
    export(build_dataset(tmp_path / "d"), to, tmp_path / "out")
    (path,) = (tmp_path / "out").glob("sft_train.json*")
    read = [parsed for number, held in rows_of(path) for parsed in parse(held, f"row {number}")]
    made: list[Record] = [record(n) for n in range(12)]
    assert [tuple(p.prompt) for p in read] == [r.prompt for r in made]
    assert [[a.text for a in p.answers] for p in read] == [[r.answers[0].text] for r in made]
    assert {p.reason for p in read} == {None}
