"""Records become conversations; what is no follow-up is asked again, and good turns are kept."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.multi_turn import PROMPTS, MultiTurn, no_follow_up, only_thanks, plays_assistant
from tuneworks.factory.record import Answer, Message, Record, Rejected, to_rejected_table, to_table

DICE = Dice(3, "made.multi_turn")
FISH = Record.born("Name a fish.", source="s", answers=[Answer("The trout.", by="me")], meta={"row": 7})
Reply = Callable[[Request], str | Completion]


def run(records: Sequence[Record], reply: Reply, **options: object) -> tuple[list[Record | Rejected], Scripted]:
    engine = Scripted(reply)

    async def collect() -> list[Record | Rejected]:
        generator = MultiTurn.model_validate(options)
        return [item async for item in generator.generate(records, engine, DICE)]

    return asyncio.run(collect()), engine


def talking(*asked: str) -> Reply:
    """Asks these in turn, and answers each with its number."""
    left = list(asked)

    def reply(request: Request) -> str:
        if "Here is a conversation" in request.messages[-1].content:
            return left.pop(0)
        return f"Answer {len(asked) - len(left)} is given here."

    return reply


def test_a_record_is_continued() -> None:
    asked = "Where does it live?", "And what does it eat?"
    (made,), engine = run([FISH], talking(*asked), turns=2, guidance="Be brief.")
    assert isinstance(made, Record)
    said = ["Name a fish.", "The trout.", asked[0], "Answer 1 is given here.", asked[1]]
    assert [m.content for m in made.prompt] == said
    assert [m.role for m in made.prompt] == ["user", "assistant", "user", "assistant", "user"]
    assert [(a.text, a.by) for a in made.answers] == [("Answer 2 is given here.", "scripted")]
    assert made.parents == (FISH.id,) and made.source == "s" and made.meta == {"row": 7, "turns": 3}
    shown = engine.calls[0].messages[-1].content
    assert "Person: Name a fish.\n\nAssistant: The trout." in shown
    answering = engine.calls[1].messages
    assert answering[0] == Message("system", "Be brief.") and [m.content for m in answering[1:]] == said[:3]


def test_the_best_answer_is_continued_and_the_system_message_stays() -> None:
    prompt = [Message("system", "You sell fish."), Message("user", "Name a fish.")]
    answers = [Answer("Eel.", scores={"reward": 1}), Answer("Trout.", scores={"reward": 2})]
    (made,), engine = run([Record.born(prompt, answers=answers)], talking("Where does it live?"))
    assert isinstance(made, Record)
    assert [m.content for m in made.prompt] == ["You sell fish.", "Name a fish.", "Trout.", "Where does it live?"]
    assert "You sell fish." not in engine.calls[0].messages[-1].content


def test_a_record_without_an_answer_is_answered_first() -> None:
    (made,), engine = run([Record.born("Name a fish.")], talking("Where does it live?"))
    assert isinstance(made, Record) and made.prompt[1] == Message("assistant", "Answer 0 is given here.")
    assert len(engine.calls) == 3
    (gone,), _ = run([Record.born("Name a fish.")], lambda r: "")
    assert isinstance(gone, Rejected) and gone.part == "record" and gone.reason == "the reply is empty"


def test_good_turns_are_kept_where_a_later_one_fails() -> None:
    replies = "Where does it live?", "Thanks!", "Thank you so much.", "Great."
    (aside, kept), _ = run([FISH], talking(*replies), turns=3)
    assert isinstance(kept, Record) and kept.meta["turns"] == 2 and len(kept.answers) == 1
    assert isinstance(aside, Rejected) and aside.reason == "it only says thanks (3 tries)" and aside.part == "reply"
    (aside, kept), _ = run([FISH], talking("Thanks!", "Thanks!", "Thanks!"))
    assert kept == FISH and isinstance(aside, Rejected)


def test_a_turn_whose_answer_cannot_be_used_is_not_kept() -> None:
    def reply(request: Request) -> str | Completion:
        asking = "Here is a conversation" in request.messages[-1].content
        return "Where does it live?" if asking else Completion("In the", "length")

    (aside, kept), _ = run([FISH], reply)
    assert kept == FISH
    assert isinstance(aside, Rejected) and aside.part == "answer" and "cut off" in aside.reason
    assert aside.record.prompt_text == "Where does it live?"


SAID = (Message("user", "Name a fish that lives in rivers."), Message("assistant", "The trout lives in cold rivers."))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Name a fish that lives in rivers?", "it repeats an earlier question: ROUGE-L 1.000"),
        ("The trout lives in cold rivers!", "it repeats an answer: ROUGE-L 1.000"),
        ("Thank you! That was very helpful.", "it only says thanks"),
        ("谢谢你，很有帮助。", "it only says thanks"),
        ("Sure! Trout eat insects and small fish.", 'it answers instead of asking: "Sure!"'),
        ("Here are some facts about the trout", 'it answers instead of asking: "Here are some"'),
        ("好的，以下是一些鱼", "it answers instead of asking"),
        ("What else can I help you with?", "it answers instead of asking"),
        ("Does it?\nAssistant: Yes, it does.", 'it holds a turn of "Assistant"'),
        ("Trout eat insects and they are fast.", "asks for nothing"),
        ("Which of these three should I visit first, and why?", "it repeats an example of the prompt"),
        ("Is it good?\n\nAnswer: It is.", 'it holds a turn of "Answer"'),
        ("How do you know that this is a follow-up?", 'it speaks of the asking: "follow-up"'),
        ("why " * 90, "90 words, more than 80"),
    ],
)
def test_what_is_no_follow_up(text: str, reason: str) -> None:
    assert str(no_follow_up(text, SAID, PROMPTS["en"])).startswith(reason)
    replies = iter([text, "Is it good to eat?", "Yes, it is good."])
    (made,), _ = run([Record.born(SAID[:1], answers=[Answer(SAID[1].content)])], lambda r: next(replies))
    assert isinstance(made, Record) and made.prompt_text == "Is it good to eat?"


@pytest.mark.parametrize(
    "text",
    [
        "What does it eat?",
        "Thanks! And what does it eat?",
        "Great, now make it shorter.",
        "Can you put that into a table?",
        "谢谢，那它吃什么？",
        "好的，请再短一点。",
        "Here is what I meant: which of the two is larger?",
    ],
)
def test_what_is_a_follow_up(text: str) -> None:
    assert no_follow_up(text, SAID, PROMPTS["en"]) is None


def test_thanks_and_roles_are_told_from_questions() -> None:
    assert only_thanks("") is None and only_thanks("Thanks. Bye.") is None
    assert plays_assistant("Surely that is wrong?", PROMPTS["en"]) is None
    assert plays_assistant("助手：好", PROMPTS["zh"]) is not None


def test_chinese_records_are_continued_in_chinese() -> None:
    replies = iter(["它吃什么？", "它吃昆虫。"])
    record = Record.born("说出一种鱼。", answers=[Answer("鳟鱼。")])
    (made,), engine = run([record], lambda r: next(replies))
    assert isinstance(made, Record) and made.prompt_text == "它吃什么？"
    assert "用户: 说出一种鱼。" in engine.calls[0].messages[-1].content


def test_an_engine_that_fails_keeps_the_record_and_one_that_is_gone_stops_the_run() -> None:
    def failing(error: Exception) -> Reply:
        def reply(request: Request) -> str:
            raise error

        return reply

    (aside, kept), _ = run([FISH], failing(EngineError("too long")))
    assert kept == FISH and isinstance(aside, Rejected) and aside.reason == "too long"
    with pytest.raises(EngineUnavailable):
        run([FISH], failing(EngineUnavailable("no server")))


def test_every_request_has_a_seed_of_its_own_and_the_order_is_the_records() -> None:
    records = [Record.born(f"Name fish number {n}.", answers=[Answer(f"Fish {n}.")]) for n in range(5)]

    class Slow(Scripted):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(request.seed % 7 / 1000)
            return await super().complete(request)

    def reply(request: Request) -> str:
        return "What does it eat?" if "Here is" in request.messages[-1].content else f"Flies, {request.seed}."

    (items), engine = run(records, reply, turns=1)
    slow = Slow(reply)

    async def collect() -> list[Record | Rejected]:
        return [item async for item in MultiTurn().generate(records, slow, DICE)]

    assert asyncio.run(collect()) == items
    assert len({call.seed for call in engine.calls}) == 10


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prompts.yaml"
    file.write_text("ask: 'Go on. {conversation}'")
    options = MultiTurn(prompts=str(file), turns=3)
    options.check()
    assert options.reads() == (str(file),) and options.calls(5) == 30
    _, engine = run([FISH], lambda r: "Where does it live?", prompts=str(file))
    assert engine.calls[0].messages[-1].content.startswith("Go on. Person: Name a fish.")


def test_a_server_that_holds_to_a_schema_is_asked_for_json() -> None:
    replies = iter([json.dumps({"message": "Where does it live?"}), "In rivers."])
    engine = Scripted(lambda r: next(replies), structured=True)

    async def collect() -> list[Record | Rejected]:
        return [item async for item in MultiTurn().generate([FISH], engine, DICE)]

    (made,) = asyncio.run(collect())
    assert isinstance(made, Record) and made.prompt_text == "Where does it live?"


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["{", '{"message": []}', "\x00?", "Person: Person: a?", "1. a?\n1. b?", "\u202eא؟" * 50, "y" * 10**4]
    ),
)


@settings(deadline=None)
@given(HOSTILE)
def test_any_reply_is_a_turn_or_a_reason(reply: str) -> None:
    items, _ = run([FISH], lambda r: reply)
    *aside, kept = items
    assert isinstance(kept, Record) and len(aside) == (kept.id == FISH.id)
    assert to_table([kept]).height == 1
    assert to_rejected_table([a for a in aside if isinstance(a, Rejected)]).height == len(aside)
