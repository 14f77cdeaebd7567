"""Instances as published: a model goes on with examples, several instances in one reply."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.seeds import read_seeds
from tuneworks.factory.self_instruct.few_shot import FewShot, Found, split_examples, split_labels
from tuneworks.factory.self_instruct.instances import Limits
from tuneworks.factory.self_instruct.prompts import CHINESE, ENGLISH

DICE = Dice(5, "made.self_instruct")
P = ENGLISH
TASK = Record.born("Add the numbers.", source="made", meta={"instruction": "Add the numbers.", "input": ""})
SEEDS = read_seeds("builtin", "made")
Writes = Callable[[Request], str | Completion]


def sorting(request: Request) -> bool:
    return request.opening.endswith(P.classification_answer)


def model(answer: str, writes: Writes) -> Scripted:
    """Says whether a task is classification, and writes instances as told."""
    return Scripted(lambda r: answer if sorting(r) else writes(r))


def finish(engine: Scripted, instances: int = 5) -> list[Record | Rejected]:
    return asyncio.run(FewShot(SEEDS, engine, DICE, P, Limits(instances, 350, "", "plain")).of(TASK))


def pairs(items: list[Record | Rejected]) -> list[tuple[object, str]]:
    return [(i.meta["input"], i.answers[0].text) for i in items if isinstance(i, Record)]


def test_several_instances_from_one_reply() -> None:
    engine = model(" No", lambda _: "Example 1\nInput: 1, 2\nOutput: 3\nExample 2\nInput: 4, 4\nOutput: 8\n\n")
    made = finish(engine)
    assert pairs(made) == [("1, 2", "3"), ("4, 4", "8")]
    assert all(isinstance(m, Record) and m.meta["is_classification"] is False for m in made)
    assert isinstance(made[0], Record) and made[0].prompt_text == "Add the numbers.\n\n1, 2"
    question, instances = engine.calls
    assert (question.temperature, question.max_tokens, question.stop) == (0.0, 3, ("\n", "Task"))
    assert question.opening.count(P.classification_yes) == 12 and question.opening.count(P.classification_no) == 19
    assert (instances.temperature, instances.presence_penalty, instances.max_tokens) == (0.0, 1.5, 350)
    assert instances.stop == ("Example 6", "Task:")
    assert instances.opening.endswith("Task: Add the numbers.\n")
    assert not any(call.candidates or call.schema for call in engine.calls)


@pytest.mark.parametrize(("said", "labelled"), [(" Yes", True), ("YES\n", True), ("yes.", False), ("", False)])
def test_anything_but_yes_is_no(said: str, labelled: bool) -> None:
    made = finish(model(said, lambda _: "Label: odd\nInput: 3\nLabel: even\nInput: 4\nOutput: 5"))
    assert {m.meta["is_classification"] for m in made if isinstance(m, Record)} == {labelled}
    if labelled:
        assert pairs(made) == [("3", "odd"), ("4\nOutput: 5", "even")]


def test_of_a_reply_that_is_cut_off_the_last_instance_goes() -> None:
    text = "Example 1\nInput: 1, 2\nOutput: 3\nExample 2\nInput: 4, 4\nOut"
    kept, cut = finish(model(" No", lambda _: Completion(text, "length")))
    assert isinstance(kept, Record) and isinstance(cut, Rejected)
    assert (cut.reason, cut.record.answers[0].text) == ("cut off by the token limit", "")
    assert cut.record.meta["input"] == "4, 4\nOut"


def test_the_published_filters() -> None:
    text = "Example 1\nInput: 1\nOutput: 1\nExample 2\nOutput: a\nExample 3\nOutput: b\nExample 4\nOutput: b"
    made = finish(model(" No", lambda _: text))
    assert pairs(made) == [("", "a"), ("", "b")]
    assert [m.reason for m in made if isinstance(m, Rejected)] == [
        "the output equals the input",
        "another instance has the same input and output",
    ]
    contradiction = "Example 1\nInput: 1\nOutput: 2\nExample 2\nInput: 1\nOutput: 3\nExample 3\nInput: 5\nOutput: 6"
    assert pairs(finish(model(" No", lambda _: contradiction))) == []


def test_no_more_instances_than_asked_for() -> None:
    text = "".join(f"Label: l{n}\nInput: i{n}\n" for n in range(9))
    made = finish(model(" Yes", lambda _: text), instances=5)
    assert len(pairs(made)) == 5 and len(made) == 9
    assert {m.reason for m in made if isinstance(m, Rejected)} == {"9 instances, more than 5, and not drawn"}
    assert made == finish(model(" Yes", lambda _: text), instances=5)


@pytest.mark.parametrize("text", ["", "I cannot.", "Input: 3"])
def test_a_reply_without_an_instance_is_kept_raw(text: str) -> None:
    (gone,) = finish(model(" No", lambda _: text))
    assert isinstance(gone, Rejected)
    assert (gone.reason, gone.record.answers[0].text) == ("the reply holds no instance", text)


def test_errors() -> None:
    def fails(_: Request) -> str:
        raise EngineError("too long")

    def gone(_: Request) -> str:
        raise EngineUnavailable("no server")

    assert finish(Scripted(fails)) == [Rejected(TASK, DICE.stage, "too long")]
    with pytest.raises(EngineUnavailable):
        finish(Scripted(gone))


def test_examples() -> None:
    again = "a second input or output under one number"
    assert split_examples("Output: a poem", P) == [Found("", "a poem")]
    assert split_examples("Input: x\nOutput: y", P) == [Found("x", "y")]
    assert split_examples("Example 1.\nSay x.\nOutput 1: y\nFor Example 2 we say z", P) == [
        Found("Say x.", "y\nFor Example 2 we say z")
    ]
    assert split_examples("Sure!\nExample 1\nInput: a\nOutput: b\nInput: c\nOutput: d", P) == [
        Found("Sure!", "", "it stands before the first example"),
        Found("a", "b"),
        Found("c", "d", again),
    ]
    assert split_examples("示例 1\n输入：甲\n输出：乙", CHINESE) == [Found("甲", "乙")]
    assert split_labels("标签：甲\n输入：乙\n丙", CHINESE) == [Found("乙\n丙", "甲")]
    assert split_labels("no label", P) == [Found("no label", "", "it stands before the first label")]


WORDS = st.lists(
    st.sampled_from(["Example 1", "Example", "Input:", "Output:", "Label:", "\n", " w ", "w", "\x00", "\u202e", "2"])
).map("".join)


@given(WORDS)
def test_nothing_disappears(text: str) -> None:
    for split in (split_examples, split_labels):
        found = split(text, P)
        assert not found or sum(f"{f.given}{f.output}".count("w") for f in found) >= text.count("w")


@given(st.text())
def test_any_reply_is_taken_apart(text: str) -> None:
    for split in (split_examples, split_labels):
        for found in split(text, P):
            assert found.given == found.given.strip() and found.output == found.output.strip()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["\n" * 200_000, "Output:" + " " * 200_000, "\nExample 1" * 20_000, "\nInput:" * 20_000]
)
def test_a_huge_reply_is_taken_apart_in_no_time(text: str) -> None:
    for split in (split_examples, split_labels):
        assert isinstance(split(text, P), list)
