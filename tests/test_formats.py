"""The same task in several forms: examples come from other records, reasoning ends in the known answer."""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.formats import Formats, format_of
from tuneworks.factory.formats.examples import Examples, example_of
from tuneworks.factory.formats.layouts import LAYOUTS, end_answer, reasoned, same_answer, with_examples
from tuneworks.factory.formats.reasoning import gold_answer
from tuneworks.factory.language import Language
from tuneworks.factory.record import Answer, Message, Record, Rejected, to_rejected_table, to_table
from tuneworks.pipelines.dataset.sides import groups

DICE = Dice(3, "made.formats")
REASONED = {"format": "zero_shot_cot"}
Reply = Callable[[Request], str | Completion]


def sums(count: int) -> list[Record]:
    """Sums with their right answers, one a record."""
    return [
        Record.born(f"What is {n} + 1?", source="s", answers=[Answer(str(n + 1), by="me", scores={"reward": 1.0})])
        for n in range(count)
    ]


def run(records: Sequence[Record], reply: Reply = lambda r: "", **options: object) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        generator = Formats.model_validate(options)
        return [item async for item in generator.generate(records, Scripted(reply), DICE)]

    return asyncio.run(collect())


def formats(items: Sequence[Record | Rejected]) -> list[object]:
    return [item.meta["format"] for item in items if isinstance(item, Record)]


def thinking(request: Request) -> str:
    number = int(request.messages[-1].content.split()[2])
    return f"Reasoning: {number} and one more is {number + 1}.\nAnswer: {number + 1}"


def test_few_shot_variants_stand_beside_the_originals() -> None:
    records = sums(8)
    items = run(records, few_shot=1.0, examples=3)
    assert formats(items) == ["zero_shot", "few_shot"] * 8
    for record, own, made in zip(records, items[::2], items[1::2], strict=True):
        assert own == record.with_meta(format="zero_shot")
        assert isinstance(made, Record)
        assert made.parents == (record.id,) and made.answers == record.answers and made.source == "s"
        assert made.prompt_text.count(" + 1?") == 4
        assert made.prompt_text.count(record.prompt_text) == 1, "the task itself is no example"
        assert [g.tolist() for g in groups(to_table([made, record]).lazy())] == [[0, 1]], (
            "never one in train and the other in test"
        )


def test_the_shares_are_drawn_by_dice() -> None:
    items = run(sums(200))
    assert 70 < formats(items).count("few_shot") < 130
    assert items == run(sums(200))
    assert formats(run(sums(20), few_shot=0.0)) == ["zero_shot"] * 20


def test_the_draw_of_one_record_does_not_hang_on_the_others() -> None:
    drawn = [r.parents[0] for r in run(sums(60)) if isinstance(r, Record) and r.parents]
    assert [r.parents[0] for r in run(sums(40)) if isinstance(r, Record) and r.parents] == [
        d for d in drawn if d in {r.id for r in sums(40)}
    ]


def test_without_originals_a_record_without_a_variant_stays() -> None:
    items = run(sums(40), original=False)
    assert len(items) == 40
    assert set(formats(items)) == {"zero_shot", "few_shot"}
    assert formats(run(sums(1), few_shot=1.0, original=False)) == ["zero_shot"], "no other task to show"


def test_examples_are_the_like_of_the_task_first() -> None:
    labels = [
        Record.born(f"Label: {n}", answers=[Answer("good")], meta={"kind": "x", "is_classification": True})
        for n in range(3)
    ]
    plays = [Record.born(f"Play: {n}", answers=[Answer("ok")], meta={"is_classification": True}) for n in range(3)]
    pool = Examples(example_of(r, "a") for r in [*sums(20), *plays, *labels])
    for seed in range(20):
        shown = pool.drawn(labels[0], 5, DICE.random(seed))
        tasks = {example.task for example in shown}
        assert {"Label: 1", "Label: 2"} < tasks and tasks - {"Label: 1", "Label: 2"} == {f"Play: {n}" for n in range(3)}


def test_what_is_no_example() -> None:
    chat = Record.born([Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "And?")])
    assert example_of(chat, "a") is None
    assert example_of(Record.born("Hi"), " ") is None and example_of(Record.born("Hi"), "a " * 201) is None
    assert example_of(Record.born([]), "a") is None
    twice = [example_of(r, "a") for r in [*sums(2), Record.born("what is  0 + 1?")]]
    assert len(Examples(twice).drawn(Record.born("Hi"), 5, DICE.random())) == 2
    assert not Examples(twice).drawn(Record.born("一加一等于几？"), 5, DICE.random()), (
        "examples are in the task's language"
    )


def test_a_conversation_gets_no_examples_and_a_system_message_stays() -> None:
    chat = Record.born(
        [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "And?")], answers=[Answer("Yes")]
    )
    guided = Record.born([Message("system", "Be kind."), Message("user", "Add 1 to 1.")], answers=[Answer("2")])
    items = run([chat, guided, *sums(3)], few_shot=1.0)
    assert formats(items)[:3] == ["zero_shot", "zero_shot", "few_shot"]
    made = items[2]
    assert isinstance(made, Record) and made.prompt[0] == Message("system", "Be kind.") and len(made.prompt) == 2


def test_reasoning_that_ends_in_the_right_answer_stays() -> None:
    items = run(sums(6), thinking, few_shot=0.0, reasoning=1.0)
    assert formats(items) == ["zero_shot", "zero_shot_cot"] * 6
    made = items[1]
    assert isinstance(made, Record) and made.meta["checked"] is True
    assert made.answers == (Answer("0 and one more is 1.\n\nAnswer: 1", by="scripted"),)
    assert made.prompt_text.startswith("What is 0 + 1?\n\nThink step by step")


def test_reasoned_examples_come_before_a_reasoned_task() -> None:
    items = run(sums(6), thinking, few_shot=1.0, reasoning=1.0, original=False)
    assert formats(items) == ["few_shot", "few_shot_cot"] * 6
    for plain, worked in zip(items[::2], items[1::2], strict=True):
        assert isinstance(plain, Record) and isinstance(worked, Record)
        assert "one more" not in plain.prompt_text and worked.prompt_text.count("one more") == 3


def test_another_end_is_rejected_with_both_answers() -> None:
    def wrong(request: Request) -> str:
        return "Reasoning: I guess.\nAnswer: 77"

    own, gone = run(sums(1), wrong, few_shot=0.0, reasoning=1.0, original=False)
    assert isinstance(own, Record) and own.meta["format"] == "zero_shot"
    assert isinstance(gone, Rejected) and gone.part == "answer"
    assert gone.reason == 'the reasoning ends in "77", and the record\'s answer is "1"'
    assert gone.record.answers[0].text == "I guess.\n\nAnswer: 77"


def test_a_long_answer_needs_no_reasoning_and_where_none_is_known_nothing_is_compared() -> None:
    open_ = Record.born("What is 0 + 1?", answers=[Answer("It is one, as every child in the school knows.")])
    assert formats(run([open_], thinking, few_shot=0.0, reasoning=1.0)) == ["zero_shot"]
    _, made = run([open_.with_answers([])], thinking, few_shot=0.0, reasoning=1.0)
    assert isinstance(made, Record) and "checked" not in made.meta and made.meta["format"] == "zero_shot_cot"
    assert gold_answer(Record.born("a")) is None


@pytest.mark.parametrize(
    "reply",
    [
        "no idea",
        "Reasoning: so it is",
        "Reasoning: a\nAnswer: ...",
        f"Reasoning: a\nAnswer: {'b ' * 21}",
        Completion("Reasoning: a\nAns", "length"),
        "2 " * 300,
    ],
)
def test_a_reply_without_an_end_is_asked_again_and_then_rejected(reply: str | Completion) -> None:
    _, gone = run(sums(1), lambda r: reply, few_shot=0.0, reasoning=1.0)
    assert isinstance(gone, Rejected) and gone.part == "reply" and "(3 tries)" in gone.reason


def test_a_server_that_holds_to_a_schema_is_asked_for_json() -> None:
    """The examples are JSON too, and stand between the system message and what is asked."""
    engine = Scripted(lambda r: json.dumps({"reasoning": "So.", "answer": "1"}), structured=True)
    guided = [Record.born([Message("system", "Be kind."), *sums(1)[0].prompt], answers=[Answer("1")])]

    async def collect() -> list[Record | Rejected]:
        return [item async for item in Formats(few_shot=0.0, reasoning=1.0).generate(guided, engine, DICE)]

    assert formats(asyncio.run(collect())) == ["zero_shot", "zero_shot_cot"]
    (request,) = engine.calls
    assert [m.role for m in request.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert all(set(json.loads(m.content)) == {"reasoning", "answer"} for m in request.messages if m.role == "assistant")


def test_a_record_that_came_with_reasoning_is_known_as_such() -> None:
    worked = [
        Record.born(f"What is {n} + 2?", answers=[Answer(f"Two more.\n\nAnswer: {n + 2}")], meta=REASONED)
        for n in range(4)
    ]
    items = run([*worked, *sums(4)], few_shot=1.0, reasoning=0.0)
    assert formats(items) == ["zero_shot_cot", "few_shot_cot"] * 4 + ["zero_shot", "few_shot"] * 4
    for item in items:
        if isinstance(item, Record) and item.meta["format"] == "few_shot":
            assert "Two more" not in item.prompt_text
    assert run(worked, thinking, few_shot=0.0, reasoning=1.0) == worked
    assert gold_answer(worked[0]) == "2"


def test_an_engine_that_fails_sets_one_aside_and_one_that_is_gone_stops_the_run() -> None:
    def failing(error: Exception) -> Reply:
        def reply(request: Request) -> str:
            raise error

        return reply

    own, gone = run(sums(1), failing(EngineError("too long")), reasoning=1.0)
    assert isinstance(own, Record) and isinstance(gone, Rejected) and gone.reason == "too long"
    with pytest.raises(EngineUnavailable):
        run(sums(1), failing(EngineUnavailable("no server")), reasoning=1.0)


def test_shares_are_shares() -> None:
    with pytest.raises(ValidationError):
        Formats(few_shot=1.5)
    assert Formats(reasoning=0.25).calls(100) == 25 and Formats().calls(100) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1,000", "1000", True),
        ("7.0", "7", True),
        ("7.50", "$7.5", True),
        (".5", "0.5", True),
        ("(C)", "c", True),
        ("- Yes.", "yes", True),
        ("１２", "12。", True),
        ("10", "1.0", False),
        ("1,00", "100", False),
        ("-3", "3", False),
        ("1.2", "12", False),
        ("C++", "C#", False),
        ("...", "?", False),
    ],
)
def test_answers_are_compared_by_what_they_say(one: str, other: str, same: bool) -> None:
    assert same_answer(one, other) is same


@pytest.mark.parametrize("language", ["en", "zh"])
def test_layouts_hold_every_example_and_end_in_the_task(language: Language) -> None:
    for layout in LAYOUTS[language]:
        text = with_examples(layout, "{task}?", [("a {answer}", "b"), ("c", "{x}")])
        places = [text.index(part) for part in ("a {answer}", "b", "c", "{x}", "{task}?")]
        assert places == sorted(places)


@given(st.text(max_size=80), st.text(max_size=20), st.sampled_from(["en", "zh"]))
def test_the_end_answer_of_a_reasoned_text_is_its_answer(reasoning: str, answer: str, language: Language) -> None:
    read = end_answer(reasoned(reasoning, answer, language))
    assert (read or "") == " ".join(answer.split()).strip(" \t*_")


@given(st.text(max_size=300), st.text(max_size=40))
def test_any_texts_can_be_compared(one: str, other: str) -> None:
    assert same_answer(one, one) and same_answer(one, other) == same_answer(other, one)
    end_answer(one)


HOSTILE = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(["Reasoning:", "Answer:", "1", "\n", "{", '"answer":', "\x00", "\u202e", "1. "])).map(
        "".join
    ),
    st.sampled_from(["z" * 10**4, '{"reasoning": "a", "answer": "1"}', "Answer: 1\nReasoning: a"]),
)


@settings(deadline=None)
@given(HOSTILE)
def test_any_reply_gives_a_variant_or_a_reason(reply: str) -> None:
    items = run(sums(2), lambda r: reply, few_shot=1.0, reasoning=1.0)
    kept = [item for item in items if isinstance(item, Record)]
    gone = [item for item in items if isinstance(item, Rejected)]
    assert formats(items).count("zero_shot") == 2 and len(kept) + len(gone) == 6
    assert to_table(kept).height + to_rejected_table(gone).height == 6


def test_what_has_a_format_gets_no_second_one() -> None:
    assert format_of(Record.born("a", meta={"format": "pdf"})) == format_of(Record.born("a")) == "zero_shot"
    once = [r for r in run(sums(6), few_shot=1.0) if isinstance(r, Record)]
    assert formats(run(once, few_shot=1.0)) == ["zero_shot", "few_shot", "few_shot"] * 6
