"""An input and an output for each task, and which instances to trust."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Answer, Fact, Record, Rejected
from tuneworks.factory.seeds import task_prompt
from tuneworks.factory.self_instruct.instances import Instances, Limits, split_instance
from tuneworks.factory.self_instruct.layouts import LAYOUTS, Layout
from tuneworks.factory.self_instruct.prompts import CHINESE, ENGLISH, Prompts

DICE = Dice(5, "made.self_instruct")
P = ENGLISH


def seed(task: str, given: str, output: str, label: bool) -> Record:
    meta: dict[str, Fact] = {"instruction": task, "input": given, "is_classification": label}
    return Record.born(task_prompt(task, given), answers=[Answer(output, "seed")], meta=meta)


SEEDS = [
    *(seed(f"Is fish {n} in the sea?", f"Fish {n} likes salt.", "yes", True) for n in range(8)),
    *(seed(f"Sum up text {n}.", f"Text {n} is long.", f"Sum {n}", False) for n in range(8)),
    *(seed(f"Name fish {n}.", "", f"Carp {n}", False) for n in range(8)),
]


def task(instruction: str) -> Record:
    return Record.born(
        instruction, source="made", parents=["p"], meta={"instruction": instruction, "input": "", "round": 1}
    )


Writes = Callable[[Request], str | Completion]


def engine(writes: Writes, structured: bool = False) -> Scripted:
    """Knows classification ("Is ...") and what needs an input ("Sum up ..."), and writes as told."""

    def reply(request: Request) -> str | Completion:
        if not request.candidates:
            return writes(request)
        asked = request.opening.rsplit(P.task, 1)[1].strip()
        yes, no = request.candidates
        word = "Is " if yes == P.classification.yes else "Sum up "
        return Completion("", log_probs={yes if asked.startswith(word) else no: -0.1})

    return Scripted(reply, structured=structured)


def finish(
    asked: Record, model: Scripted, instances: int = 1, guidance: str = "", layout: Layout = "plain"
) -> list[Record | Rejected]:
    async def run() -> list[Record | Rejected]:
        limits = Limits(instances, 50, guidance, layout)
        return await (await Instances.calibrated(SEEDS, model, DICE, "en", P, limits)).of(asked)

    return asyncio.run(run())


def written(model: Scripted) -> list[Request]:
    return [call for call in model.calls if not call.candidates]


def test_classification_gets_its_label_first() -> None:
    model = engine(lambda _: f" no\n{P.given} It likes rivers.")
    (made,) = finish(task("Is it a sea fish?"), model)
    assert isinstance(made, Record)
    assert made.prompt_text == "Is it a sea fish?\n\nIt likes rivers."
    assert made.answers == (Answer("no", by="scripted"),)
    (request,) = written(model)
    assert request.opening.endswith(f"{P.task} Is it a sea fish?\n{P.label}")
    examples = request.opening.split(f"{P.task} ")[1:-1]
    assert examples
    assert all(e.startswith("Is fish") and e.index(P.label) < e.index(P.given) for e in examples)
    assert any(P.task in stop for stop in request.stop)


def test_a_task_that_needs_no_input_is_asked_as_it_stands() -> None:
    model = engine(lambda _: "\nA carp. ")
    (made,) = finish(task("Name a fish."), model, guidance="Be kind.")
    assert isinstance(made, Record)
    assert (made.prompt_text, made.answers[0].text) == ("Name a fish.", "A carp.")
    (request,) = written(model)
    assert [(m.role, m.content) for m in request.messages] == [("system", "Be kind."), ("user", "Name a fish.")]
    assert request.opening == ""
    assert request.max_tokens == 50


def test_a_task_that_needs_an_input_gets_one() -> None:
    replies = ["Carp live in ponds.", "Carp: ponds."]
    model = engine(lambda _: replies.pop(0))
    (made,) = finish(task("Sum up the text."), model, guidance="Be kind.")
    assert isinstance(made, Record)
    assert made.prompt_text == "Sum up the text.\n\nCarp live in ponds."
    assert made.answers[0].text == "Carp: ponds."
    first, second = written(model)
    assert "Sum up the text." in first.messages[-1].content
    assert second.messages[-1].content == made.prompt_text
    assert (len(first.messages), len(second.messages)) == (1, 2), "guidance is for outputs"
    assert first.seed != second.seed


def test_an_instance_remembers_its_task() -> None:
    asked = task("Name a fish.")
    (made,) = finish(asked, engine(lambda _: "A carp."))
    assert isinstance(made, Record)
    assert (made.source, made.parents) == (asked.source, asked.parents)
    facts = {"instruction": "Name a fish.", "input": "", "round": 1, "task": asked.id, "is_classification": False}
    assert made.meta == facts
    assert made.id != asked.id


def test_several_instances_differ_by_their_seed() -> None:
    model = engine(lambda r: f" yes\n{P.given} Fish {r.seed} swims.")
    made = finish(task("Is it a sea fish?"), model, instances=4)
    assert [type(m) for m in made] == [Record] * 4
    assert len({call.seed for call in written(model)}) == 4


@pytest.mark.parametrize(
    ("asked", "replies", "words"),
    [
        ("Name a fish.", [""], "no output"),
        ("Name a fish.", ["Here it is:"], "ends with a colon"),
        ("Sum up the text.", [Completion("Carp live", "length")] * 3, r"its input: .*cut off .* \(3 tries\)"),
        ("Sum up the text.", [""] * 3, "its input: .*empty"),
        ("Sum up the text.", ["Your request is about carp."] * 3, 'its input: it speaks of the asking: "request"'),
        ("Sum up the text.", ["Carp live.", "Carp live."], "equals the input"),
        ("Sum up the text.", ["Carp live.", ""], "no output"),
        ("Is it a fish?", [f" yes\n or no\n{P.given} A carp."], "label has more than one line"),
        ("Is it a fish?", [f"\n{P.given} A carp."], "no output"),
        ("Is it a fish?", [Completion(f" yes\n{P.given} A car", "length")], "cut off"),
    ],
)
def test_what_cannot_be_trusted_is_set_aside(asked: str, replies: Sequence[str | Completion], words: str) -> None:
    left = list(replies)
    (gone,) = finish(task(asked), engine(lambda _: left.pop(0)))
    assert isinstance(gone, Rejected)
    assert re.search(words, gone.reason), gone.reason
    assert gone.stage == DICE.stage
    assert gone.record.meta["task"] == task(asked).id


@pytest.mark.parametrize(
    ("reply", "words"), [(Completion("A car", "length"), "cut off"), (Completion("the carp, " * 60), "repeats")]
)
def test_a_task_stays_when_its_output_alone_cannot_be_used(reply: Completion, words: str) -> None:
    gone, bare = finish(task("Name a fish."), engine(lambda _: reply))
    assert isinstance(gone, Rejected)
    assert isinstance(bare, Record)
    assert (gone.part, gone.record.answers[0].text) == ("answer", reply.text.strip())
    assert words in gone.reason
    assert bare == gone.record.with_answers([])


def test_a_task_without_answer_stays_only_where_no_other_instance_asks_the_same() -> None:
    cut = Completion("A car", "length")
    left: list[str | Completion] = [cut, "A carp.", cut]
    made = finish(task("Name a fish."), engine(lambda _: left.pop(0)), instances=3)
    assert [r.answers[0].text for r in made if isinstance(r, Record)] == ["A carp."]
    assert len(made) == 3
    all_cut = finish(task("Name a fish."), engine(lambda _: cut), instances=3)
    assert len([r for r in all_cut if isinstance(r, Record)]) == 1


def test_an_input_is_asked_for_again_with_another_seed() -> None:
    replies = ["", "Carp live in ponds.", "Carp: ponds."]
    model = engine(lambda _: replies.pop(0))
    (made,) = finish(task("Sum up the text."), model)
    assert isinstance(made, Record) and made.meta["input"] == "Carp live in ponds."
    assert len({call.seed for call in written(model)}) == 3


def test_a_raw_input_that_cannot_be_used_is_kept() -> None:
    (gone,) = finish(task("Sum up the text."), engine(lambda _: "This request again."))
    assert isinstance(gone, Rejected)
    assert gone.record.answers[0].text == "This request again."


def test_one_failure_costs_one_instance() -> None:
    left: list[str | None] = ["A carp.", None]

    def reply(_: Request) -> str:
        said = left.pop(0)
        if said is None:
            raise EngineError("too long")
        return said

    kept, gone = finish(task("Name a fish."), engine(reply), instances=2)
    assert isinstance(kept, Record) and isinstance(gone, Rejected)
    assert (gone.record, gone.reason) == (task("Name a fish."), "too long")


def forms(request: Request) -> str | Completion:
    """Fills the form where there is one."""
    if not request.schema:
        return "Carp: ponds."
    names = json.loads(request.schema)["required"]
    return json.dumps({name: {"label": "no", "input": "It likes rivers."}[name] for name in names})


def test_with_a_schema_label_and_input_come_as_one_form() -> None:
    model = engine(forms, structured=True)
    (made,) = finish(task("Is it a sea fish?"), model)
    assert isinstance(made, Record)
    assert (made.prompt_text, made.answers[0].text) == ("Is it a sea fish?\n\nIt likes rivers.", "no")
    (request,) = written(model)
    assert list(json.loads(request.schema)["properties"]) == ["label", "input"]
    assert request.opening == "" and "Is it a sea fish?" in request.messages[-1].content
    shown = [json.loads(m.content) for m in request.messages if m.role == "assistant"]
    assert shown and all(list(form) == ["label", "input"] for form in shown)


def test_with_a_schema_the_input_is_a_form_and_the_output_is_not() -> None:
    model = engine(forms, structured=True)
    (made,) = finish(task("Sum up the text."), model)
    assert isinstance(made, Record)
    assert (made.meta["input"], made.answers[0].text) == ("It likes rivers.", "Carp: ponds.")
    assert [bool(call.schema) for call in written(model)] == [True, False]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("{", "lacks Label, Input"),
        ('{"label": ', "no whole JSON"),
        ('{"label": "yes\\nno", "input": "A carp."}', "more than one line"),
        ("", "empty"),
    ],
)
def test_half_a_form_is_asked_for_again_and_then_kept_raw(reply: str, words: str) -> None:
    model = engine(lambda _: reply, structured=True)
    (gone,) = finish(task("Is it a fish?"), model)
    assert isinstance(gone, Rejected) and words in gone.reason
    assert len(written(model)) == 3
    assert [a.text for a in gone.record.answers] == [reply]


def test_an_output_answers_the_prompt_as_it_is_laid_out() -> None:
    model = engine(lambda r: "Carp live." if "assistant" in r.messages[-1].content else f"It says {r.seed}.")
    made = [finish(task(f"Sum up text {n}."), model, layout="varied")[0] for n in range(20)]
    prompts = [record.prompt_text for record in made if isinstance(record, Record)]
    asked = [call.messages[-1].content for call in written(model)]
    assert set(prompts) <= set(asked)
    used = {
        form
        for form in LAYOUTS["en"]
        for n, p in enumerate(prompts)
        if p == form.replace("{instruction}", f"Sum up text {n}.").replace("{input}", "Carp live.")
    }
    assert len(used) > 3
    assert {record.meta["input"] for record in made if isinstance(record, Record)} == {"Carp live."}


def test_a_failure_sets_the_task_aside() -> None:
    def refuse(_: Request) -> str:
        raise EngineError("too long")

    assert finish(task("Name a fish."), engine(refuse)) == [Rejected(task("Name a fish."), DICE.stage, "too long")]


def test_an_engine_that_is_gone_stops_the_run() -> None:
    def refuse(_: Request) -> str:
        raise EngineUnavailable("no server")

    with pytest.raises(EngineUnavailable, match="no server"):
        finish(task("Name a fish."), engine(refuse))


lines = st.text(st.characters(codec="utf-8", exclude_characters=":："), max_size=20)


@given(
    lines, lines, st.sampled_from([ENGLISH, CHINESE]), st.sampled_from([":", "："]), st.sampled_from(["", " ", "\n"])
)
def test_label_and_input_come_apart_again(label: str, given: str, prompts: Prompts, colon: str, gap: str) -> None:
    marker = prompts.given.rstrip(":：")
    assert split_instance(f"{gap}{label}\n{gap}{marker}{colon}{gap}{given}", prompts) == (label.strip(), given.strip())


@given(st.text())
def test_any_text_has_a_label_and_an_input(text: str) -> None:
    label, given = split_instance(text, ENGLISH)
    assert (label, given) == (label.strip(), given.strip())
    assert label in text
    assert given in text


def test_an_input_may_hold_the_marker() -> None:
    assert split_instance("yes\nInput: one\nInput: two", ENGLISH) == ("yes", "one\nInput: two")
    assert split_instance("the Input: of it", ENGLISH) == ("the Input: of it", "")
    assert split_instance("Input: one", ENGLISH) == ("", "one")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["\n" * 200_000, " " * 200_000, "\nInput" * 30_000])
def test_a_huge_reply_is_split_in_no_time(text: str) -> None:
    assert split_instance(text, ENGLISH)[1] == ""
