"""An input and an output for each task, and which instances to trust."""

import asyncio
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
from tuneworks.factory.self_instruct.instances import Instances, Limits, instance_rule, split_instance, trusted
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


def engine(writes: Writes) -> Scripted:
    """Knows classification ("Is ...") and what needs an input ("Sum up ..."), and writes as told."""

    def reply(request: Request) -> str | Completion:
        if not request.candidates:
            return writes(request)
        asked = request.opening.rsplit(P.task, 1)[1].strip()
        yes, no = request.candidates
        word = "Is " if yes == P.classification.yes else "Sum up "
        return Completion("", log_probs={yes if asked.startswith(word) else no: -0.1})

    return Scripted(reply)


def finish(asked: Record, model: Scripted, instances: int = 1, guidance: str = "") -> list[Record | Rejected]:
    async def run() -> list[Record | Rejected]:
        limits = Limits(instances, 50, guidance)
        return await (await Instances.calibrated(SEEDS, model, DICE, P, limits)).of(asked)

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
        ("Sum up the text.", [Completion("Carp live", "length")], "its input: cut off"),
        ("Sum up the text.", [""], "its input: .*empty"),
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


def test_a_failure_sets_the_task_aside() -> None:
    def refuse(_: Request) -> str:
        raise EngineError("too long")

    assert finish(task("Name a fish."), engine(refuse)) == [Rejected(task("Name a fish."), DICE.stage, "too long")]


def test_an_engine_that_is_gone_stops_the_run() -> None:
    def refuse(_: Request) -> str:
        raise EngineUnavailable("no server")

    with pytest.raises(EngineUnavailable, match="no server"):
        finish(task("Name a fish."), engine(refuse))


def instance(given: str, output: str) -> Record:
    return Record.born(task_prompt("Add.", given), answers=[Answer(output)], meta={"input": given})


def reasons(*made: Record | Rejected) -> list[str | None]:
    return [item.reason if isinstance(item, Rejected) else None for item in trusted(made, "s")]


def test_one_input_with_two_outputs_takes_all_instances_with_it() -> None:
    contradiction = "another instance has the same input and a different output"
    made = [instance("2, 3", "5"), instance("1, 1", "2"), instance("2, 3", "6")]
    assert reasons(*made) == [contradiction] * 3
    assert [item.record for item in trusted(made, "s") if isinstance(item, Rejected)] == made


def test_two_outputs_without_an_input_are_no_contradiction() -> None:
    assert reasons(instance("", "a poem"), instance("", "another")) == [None, "another instance has the same prompt"]


def test_repeats_go_and_earlier_rejections_stay() -> None:
    early = Rejected(instance("9", ""), "s", "empty")
    made: list[Record | Rejected] = [instance("1, 1", "2"), early, instance("1, 1", "2"), instance("2, 2", "4")]
    assert reasons(*made) == [None, "empty", "another instance has the same prompt", None]


given_texts = st.sampled_from(["", "1", "2"])
made_instances = st.lists(st.builds(instance, given_texts, st.sampled_from("xy")), max_size=5)


@given(made_instances)
def test_trusted_loses_nothing_and_keeps_one_instance_a_prompt(made: list[Record]) -> None:
    items = trusted(made, "s")
    assert [item.record if isinstance(item, Rejected) else item for item in items] == made
    kept = [item for item in items if isinstance(item, Record)]
    assert len({r.prompt_text for r in kept}) == len(kept)
    outputs = {(r.meta["input"], r.answers[0].text) for r in made if r.meta["input"]}
    contradicts = len(outputs) > len({given for given, _ in outputs})
    assert len(kept) == (0 if contradicts else len({r.prompt_text for r in made}))


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


@pytest.mark.parametrize(
    ("given", "output", "fine"),
    [
        ("2, 3", "5", True),
        ("", "a poem", True),
        ("2", "", False),
        ("5", "5", False),
        ("2:", "5", False),
        ("", "这样：", False),
    ],
)
def test_the_published_rules(given: str, output: str, fine: bool) -> None:
    assert (instance_rule(given, output) is None) == fine
