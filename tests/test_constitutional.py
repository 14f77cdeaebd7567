"""Constitutional AI from end to end over a scripted model: steps, facts, pairs, and what cannot be read."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.constitutional import Constitutional
from tuneworks.factory.constitutional.constitution import load_constitution
from tuneworks.factory.constitutional.examples import load_examples
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import (
    PAIR,
    REWARD,
    Answer,
    Message,
    Record,
    Rejected,
    best_answer,
    from_table,
    to_rejected_table,
    to_table,
)
from tuneworks.factory.seeds import read_seeds

DICE = Dice(3, "made.constitutional")
FISH = Record.born("How do I catch a fish?", source="made", meta={"kind": "sport"})
NONE = "none.yaml"
Reply = str | Completion | Exception


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """An examples file that shows none."""
    path = tmp_path / NONE
    path.write_text("[]")
    return str(path)


def run(
    engine: Engine, generator: Constitutional, records: Sequence[Record] = (FISH,), dice: Dice = DICE
) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        return [item async for item in generator.generate(records, engine, dice)]

    return asyncio.run(collect())


def kind_of(request: Request) -> str:
    """What a request asks for, by how its last message ends."""
    last = request.messages[-1].content
    if "If nothing is wrong, say so." in last or ("没有问题。" in last and "一段对话" in last):
        return "critique"
    if "Write only the answer." in last or "只写回答" in last:
        return "revision"
    return "answer"


def saying(**texts: Sequence[Reply]) -> Scripted:
    """An engine that says these in turn: answer=, critique=, revision=; the last one again and again."""
    left = {kind: list(said) for kind, said in texts.items()}

    def reply(request: Request) -> str | Completion:
        said = left[kind_of(request)]
        item = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(item, Exception):
            raise item
        return item

    return Scripted(reply)


def numbered(request: Request) -> str:
    return f"The {kind_of(request)} number {request.seed}."


def texts(record: Record | Rejected) -> list[str]:
    return [a.text for a in (record if isinstance(record, Record) else record.record).answers]


def only(items: list[Record | Rejected]) -> Record:
    (made,) = items
    assert isinstance(made, Record)
    return made


def test_every_step_stays_on_the_record() -> None:
    engine = saying(answer=["Net."], critique=["Too short.", "Not kind."], revision=["A net.", "A soft net."])
    made = only(run(engine, Constitutional(rounds=2)))
    assert made.id == FISH.id and made.prompt == FISH.prompt
    assert texts(made) == ["Net.", "A net.", "A soft net."]
    assert [a.by for a in made.answers] == ["scripted"] * 3
    assert [dict(a.scores) for a in made.answers] == [
        {"step": 0, REWARD: 0, PAIR: 0},
        {"step": 1, REWARD: 1},
        {"step": 2, REWARD: 2, PAIR: 1},
    ]
    ids = {p.id for p in load_constitution(None)["en"]}
    assert {made.meta["principle_1"], made.meta["principle_2"]} <= ids
    assert (made.meta["critique_1"], made.meta["critique_2"]) == ("Too short.", "Not kind.")
    assert made.meta["kind"] == "sport" and "no_pair" not in made.meta
    assert from_table(to_table([made])) == [made]


def test_each_round_shows_the_answer_of_the_round_before() -> None:
    engine = saying(answer=["Net."], critique=["Too short.", "Not kind."], revision=["A net.", "A soft net."])
    run(engine, Constitutional(rounds=2, guidance="Be brief."))
    first, *asked = engine.calls
    assert first.messages == (Message("system", "Be brief."), *FISH.prompt)
    assert [kind_of(r) for r in asked] == ["critique", "revision"] * 2
    last = [r.messages for r in asked]
    assert "Assistant: Net." in last[0][-1].content and "Assistant: A net." in last[2][-1].content
    assert "Assistant: Net." in last[1][-1].content and "Too short." in last[1][-1].content
    assert "Assistant: A net." in last[3][-1].content and "Not kind." in last[3][-1].content
    assert all(m[0] == Message("system", "Be brief.") for m in last)


def test_the_whole_conversation_is_shown_and_nothing_is_cut() -> None:
    prompt = (
        Message("system", "You sell: fish."),
        Message("user", "Hello: I am {new}.\nAssistant: said who?"),
        Message("assistant", "Welcome: come in."),
        Message("user", "Note: one {request}: how do I catch a fish: fast?"),
    )
    engine = saying(answer=["Net: {conversation}."], critique=["Bad: {x}."], revision=["Rod: {y}."])
    made = only(run(engine, Constitutional(rounds=1), [Record.born(prompt)]))
    assert texts(made) == ["Net: {conversation}.", "Rod: {y}."]
    assert engine.calls[0].messages == prompt
    for call in engine.calls[1:]:
        for text in [*(m.content for m in prompt), "Net: {conversation}."]:
            assert text in call.messages[-1].content
    assert "Bad: {x}." in engine.calls[2].messages[-1].content


def test_principles_are_drawn_by_dice_for_each_record_and_round() -> None:
    records = [Record.born(f"How do I catch fish number {n}?") for n in range(200)]
    made = [r for r in run(Scripted(numbered), Constitutional(rounds=4), records) if isinstance(r, Record)]
    drawn = Counter(r.meta[f"principle_{n}"] for r in made for n in range(1, 5))
    ids = {p.id for p in load_constitution(None)["en"]}
    assert set(drawn) == ids and max(drawn.values()) < 2.5 * 800 / len(ids)
    again = sum(len({r.meta[f"principle_{n}"] for n in range(1, 5)}) < 4 for r in made)
    assert 20 < again < 100, "with replacement: some records draw a principle twice"


def test_the_requests_are_those_of_the_principle_drawn(bare: str) -> None:
    engine = Scripted(numbered)
    made = only(run(engine, Constitutional(rounds=3, examples=bare)))
    principles = {p.id: p for p in load_constitution(None)["en"]}
    for step in (1, 2, 3):
        principle = principles[str(made.meta[f"principle_{step}"])]
        critique, revision = engine.calls[2 * step - 1], engine.calls[2 * step]
        assert principle.critique in critique.messages[-1].content
        assert principle.revision in revision.messages[-1].content


def test_the_examples_are_earlier_turns() -> None:
    engine = Scripted(numbered)
    run(engine, Constitutional(rounds=1))
    examples = load_examples(None)["en"]
    for call, replies in ((1, [e.critique for e in examples]), (2, [e.revision for e in examples])):
        *shown, asked = engine.calls[call].messages
        assert [m.role for m in shown] == ["user", "assistant"] * len(examples) and asked.role == "user"
        assert [m.content for m in shown[1::2]] == replies
        assert all(e.prompt in m.content and e.answer in m.content for e, m in zip(examples, shown[::2], strict=True))


def test_a_chinese_prompt_is_asked_about_in_chinese() -> None:
    engine = saying(answer=["用网。"], critique=["太短。"], revision=["可以用一张网。"])
    made = only(run(engine, Constitutional(rounds=1), [Record.born("怎样捕鱼？")]))
    assert texts(made) == ["用网。", "可以用一张网。"]
    assert "用户： 怎样捕鱼？" in engine.calls[1].messages[-1].content
    assert not any("User" in m.content or "Write" in m.content for call in engine.calls for m in call.messages)


def test_an_engine_that_is_structured_is_asked_for_json() -> None:
    def reply(request: Request) -> str:
        if not request.schema:
            return "Net."
        (name,) = json.loads(request.schema)["required"]
        return json.dumps({name: f"A {name}."})

    engine = Scripted(reply, structured=True)
    made = only(run(engine, Constitutional(rounds=1)))
    assert texts(made) == ["Net.", "A revision."] and made.meta["critique_1"] == "A critique."
    for turn in engine.calls[2].messages:
        if turn.role == "assistant":
            assert len(json.loads(turn.content)) == 1
        else:
            assert turn.content.endswith(('Reply as {"critique": "..."}', 'Reply as {"revision": "..."}'))


def test_a_revision_that_changes_nothing_is_a_step_and_no_pair() -> None:
    engine = saying(answer=["A net."], critique=["Nothing is wrong."], revision=[" A  net. "])
    made = only(run(engine, Constitutional(rounds=2)))
    assert len(made.answers) == 3
    assert all(PAIR not in a.scores for a in made.answers)
    assert {a.scores[REWARD] for a in made.answers} == {0}
    assert made.meta["no_pair"] == "the answers of steps 2 and 0 are the same text"


def test_any_two_steps_make_the_pair() -> None:
    engine = saying(answer=["a"], critique=["c"], revision=["b1", "b2", "b3"])
    made = only(run(engine, Constitutional(rounds=3, chosen=1, rejected=2)))
    assert {a.text: a.scores[PAIR] for a in made.answers if PAIR in a.scores} == {"b1": 1, "b2": 0}
    best = best_answer(made)
    assert best is not None and best.text == "b1"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"rounds": 2, "chosen": 3}, "chosen is step 3, and 2 rounds have the steps 0 to 2"),
        ({"rounds": 1, "rejected": -3}, "rejected is step -3"),
        ({"rounds": 2, "rejected": 2}, "chosen and rejected are both step 2"),
        ({"rounds": 0}, "greater than or equal to 1"),
    ],
)
def test_steps_that_cannot_be(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Constitutional.model_validate(options)


def test_the_preset_of_the_paper() -> None:
    made = Constitutional.model_validate({"preset": "paper", "top_p": 0.9})
    assert (made.rounds, made.temperature, made.top_p) == (4, 1.0, 0.9)


def test_a_round_that_cannot_be_read_is_set_aside_and_the_record_goes_on() -> None:
    engine = saying(answer=["Net."], critique=["", "", "", "Too short."], revision=["A net."])
    gone, made = run(engine, Constitutional(rounds=2))
    assert isinstance(gone, Rejected) and isinstance(made, Record)
    assert (gone.part, gone.stage, gone.reason) == ("reply", DICE.stage, "the reply is empty (3 tries)")
    assert gone.record.meta["round"] == 1 and gone.record.parents == (FISH.id,)
    assert texts(made) == ["Net.", "A net."]
    assert made.meta["critique_1"] == "Too short." and "critique_2" not in made.meta
    assert [a.scores[PAIR] for a in made.answers] == [0, 1]


def test_the_raw_text_of_an_unread_revision_is_kept() -> None:
    cut = Completion("A net is ma", "length")
    engine = saying(answer=["Net."], critique=["Too short."], revision=[cut, cut, cut, "A net."])
    gone, made = run(engine, Constitutional(rounds=2))
    assert isinstance(gone, Rejected) and gone.reason.startswith("the reply was cut off after")
    assert texts(gone) == ["A net is ma"]
    assert any("Too short." in m.content for m in gone.record.prompt)
    assert texts(made) == ["Net.", "A net."]


def test_a_step_that_was_not_reached_is_no_pair() -> None:
    engine = saying(answer=["a"], critique=["", "", "", "c"], revision=["b"])
    _, made = run(engine, Constitutional(rounds=2, chosen=2))
    assert isinstance(made, Record)
    assert made.meta["no_pair"] == "the record ends at step 1, before the chosen one"
    best = best_answer(made)
    assert best is not None and best.text == "b"


def test_without_any_revision_the_record_is_rejected() -> None:
    *aside, gone = run(saying(answer=["Net."], critique=[""], revision=["x"]), Constitutional(rounds=2))
    assert len(aside) == 2
    assert isinstance(gone, Rejected) and gone.part == "record"
    assert gone.reason == "none of 2 rounds gave a revision" and texts(gone) == ["Net."]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "its initial answer: the reply is empty"),
        (Completion("Nets a", "length"), "its initial answer: cut off"),
        ("the carp, " * 60, "its initial answer: repeats itself"),
        (EngineError("too long"), "its initial answer: too long"),
    ],
)
def test_without_an_initial_answer_the_record_is_rejected(said: Reply, reason: str) -> None:
    (gone,) = run(saying(answer=[said]), Constitutional())
    assert isinstance(gone, Rejected) and gone.part == "record" and gone.reason.startswith(reason)


def test_an_error_of_the_engine_costs_one_round() -> None:
    engine = saying(answer=["Net."], critique=[EngineError("too long"), "Too short."], revision=["A net."])
    gone, made = run(engine, Constitutional(rounds=2))
    assert isinstance(gone, Rejected) and (gone.part, gone.reason) == ("reply", "too long")
    assert texts(made) == ["Net.", "A net."]


@pytest.mark.parametrize("kind", ["answer", "critique", "revision"])
def test_an_engine_that_is_gone_stops_the_run(kind: str) -> None:
    said: dict[str, Sequence[Reply]] = {"answer": ["a"], "critique": ["c"], "revision": ["r"]}
    with pytest.raises(EngineUnavailable, match="no server"):
        run(saying(**{**said, kind: [EngineUnavailable("no server")]}), Constitutional())


OLD = [Answer("Rod.", by="me", scores={"clear": 2, REWARD: 5, PAIR: 0}), Answer("Net.", by="you", scores={REWARD: 9})]


def test_the_records_own_best_answer_can_be_the_first() -> None:
    record = FISH.with_answers(OLD).with_meta(no_pair="before", principle_3="x", critique_3="y")
    engine = saying(critique=["Too short."], revision=["A net."])
    aside, made = run(engine, Constitutional(rounds=1, own_answer=True), [record])
    assert isinstance(made, Record) and isinstance(aside, Rejected)
    assert [(a.text, a.by, dict(a.scores)) for a in made.answers] == [
        ("Net.", "you", {"step": 0, REWARD: 0, PAIR: 0}),
        ("A net.", "scripted", {"step": 1, REWARD: 1, PAIR: 1}),
    ]
    assert not {"no_pair", "principle_3", "critique_3"} & set(made.meta)
    assert (texts(aside), aside.part, aside.reason) == (["Rod."], "answer", "not the answer that was revised")


def test_a_new_answer_puts_the_old_ones_aside() -> None:
    engine = saying(answer=["Spear."], critique=["Too short."], revision=["A spear."])
    *aside, made = run(engine, Constitutional(rounds=1), [FISH.with_answers(OLD)])
    assert [texts(a) for a in aside] == [["Rod."], ["Net."]]
    assert texts(made) == ["Spear.", "A spear."]


def test_an_own_answer_that_is_missing_is_asked_for() -> None:
    engine = saying(answer=["Net."], critique=["Too short."], revision=["A net."])
    assert texts(only(run(engine, Constitutional(rounds=1, own_answer=True)))) == ["Net.", "A net."]


@pytest.mark.parametrize("own", [False, True])
def test_calls_are_what_is_asked(own: bool) -> None:
    generator = Constitutional(rounds=3, own_answer=own)
    records = [Record.born(f"How do I catch fish {n}?", answers=[Answer("Net.")]) for n in range(5)]
    engine = Scripted(numbered)
    run(engine, generator, records)
    assert len(engine.calls) == generator.calls(5)


CONSTITUTION = "- {id: wet, topic: fish, critique: Say where it is dry., revision: Make it wet.}"


def test_files_of_ones_own(tmp_path: Path, bare: str) -> None:
    constitution, prompts = tmp_path / "mine.yaml", tmp_path / "words.yaml"
    constitution.write_text(CONSTITUTION)
    prompts.write_text('revision: "{conversation} {critique} {request} Write only the answer. Now!"')
    generator = Constitutional(rounds=1, constitution=str(constitution), examples=bare, prompts=str(prompts))
    generator.check()
    assert generator.reads() == (str(constitution), bare, str(prompts))
    assert Constitutional().reads() == ()
    engine = Scripted(numbered)
    made = only(run(engine, generator))
    assert made.meta["principle_1"] == "wet"
    assert engine.calls[2].messages[-1].content.endswith("Make it wet. Write only the answer. Now!")
    assert "Say where it is dry." in engine.calls[1].messages[0].content


@pytest.mark.parametrize("option", ["constitution", "examples", "prompts"])
def test_check_reads_the_files(option: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.yaml cannot be read: No such file"):
        Constitutional.model_validate({option: str(tmp_path / "nowhere.yaml")}).check()


def test_a_language_the_constitution_does_not_speak(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"en:\n  {CONSTITUTION}")
    items = run(Scripted(numbered), Constitutional(constitution=str(path)), [Record.born("怎样捕鱼？"), FISH])
    gone, made = items
    assert isinstance(gone, Rejected) and gone.reason.endswith("mine.yaml has no principles under zh")
    assert isinstance(made, Record)


class Slow(Scripted):
    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(request.seed % 7 / 2000)
        return await super().complete(request)


def sometimes_empty(request: Request) -> str:
    return "" if request.seed % 3 == 0 else numbered(request)


def test_the_result_does_not_hang_on_which_reply_came_first() -> None:
    records = [Record.born(f"How do I catch fish {n}?") for n in range(12)]
    slow = run(Slow(sometimes_empty), Constitutional(), records)
    assert slow == run(Scripted(sometimes_empty), Constitutional(), records)


def test_a_second_run_asks_nothing_again(tmp_path: Path) -> None:
    records = [Record.born(f"How do I catch fish {n}?") for n in range(6)]

    def build(reply: Callable[[Request], str]) -> tuple[list[Record | Rejected], int]:
        engine = Scripted(reply)
        journal = Journal(tmp_path / "journal.sqlite")
        return run(Journaled(engine, journal), Constitutional(), records), len(engine.calls)

    first, calls = build(sometimes_empty)
    second, none = build(lambda _: "never asked")
    assert first == second and calls > 0 and none == 0


hostile = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            '{"critique": "half',
            '{"revision": "\\ud800"}',
            "1. one\n1. one again",
            "\u202eright to left",
            "Critique: ",
            "x" * 20_000,
            "User: again\n\nAssistant: and again",
            "How do I catch a fish?",
            "\x00\x07",
            "```json\n{}\n```",
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(hostile, min_size=1, max_size=12), st.booleans())
def test_hostile_replies_crash_nothing_and_nothing_disappears(said: list[str], structured: bool) -> None:
    left = list(said)

    def reply(request: Request) -> str:
        return left.pop(0) if left else "A plain answer."

    items = run(Scripted(reply, structured=structured), Constitutional(rounds=2))
    whole = [i for i in items if isinstance(i, Record) or i.part == "record"]
    assert whole == items[-1:]
    unread = [i for i in items if isinstance(i, Rejected) and i.part == "reply"]
    if isinstance(items[-1], Record):
        assert len(items[-1].answers) - 1 + len(unread) == 2
    to_table(i for i in items if isinstance(i, Record))
    to_rejected_table(i for i in items if isinstance(i, Rejected))


@pytest.mark.real
def test_the_real_model_revises_answers() -> None:
    engine = Transformers().open()
    records = read_seeds("red-team", "made")[-4:]
    items = run(engine, Constitutional(rounds=1, max_tokens=160, guidance="Answer in one sentence."), records)
    whole = [i for i in items if isinstance(i, Record) or i.part == "record"]
    assert len(whole) == 4
    assert any(isinstance(i, Record) and len(i.answers) == 2 for i in whole)
