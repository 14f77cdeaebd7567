"""Each record's prompt is asked as it stands."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tuneworks.factory.answer import AnswerPrompts, unusable
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request, Usage
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Answer, Message, Record, Rejected

DICE = Dice(3, "made.answer")


def run(records: Sequence[Record], engine: Engine, generator: AnswerPrompts | None = None) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        made = (generator or AnswerPrompts()).generate(records, engine, DICE)
        return [item async for item in made]

    return asyncio.run(collect())


def prompts(count: int) -> list[Record]:
    return [Record.born(f"Name fish number {n}.") for n in range(count)]


def test_every_record_gets_an_answer_in_order() -> None:
    records = prompts(30)
    made = run(records, Scripted(lambda r: f"  re: {r.messages[-1].content}\n"))
    assert made == [r.with_answers([Answer(f"re: {r.prompt_text}", by="scripted")]) for r in records]


def test_answers_do_not_hang_on_which_came_first() -> None:
    class Slow(Scripted):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(random.uniform(0, 0.01))
            return await super().complete(request)

    def reply(request: Request) -> str:
        return f"{request.messages[-1].content} {request.seed}"

    assert run(prompts(40), Slow(reply)) == run(prompts(40), Scripted(reply))


def test_what_is_asked() -> None:
    talk = [
        Message("system", "Be short."),
        Message("user", "A fish?"),
        Message("assistant", "Carp."),
        Message("user", "?"),
    ]
    engine = Scripted(lambda _: "Eel.")
    options = AnswerPrompts(guidance="Be kind.", max_tokens=9, temperature=0.2, top_p=0.8)
    (made,) = run([Record.born(talk)], engine, options)
    (asked,) = engine.calls
    assert asked.messages == (Message("system", "Be kind."), *talk)
    assert (asked.max_tokens, asked.temperature, asked.top_p) == (9, 0.2, 0.8)
    assert isinstance(made, Record)
    assert made.prompt == tuple(talk)


def test_every_record_has_a_seed_of_its_own() -> None:
    engine = Scripted(lambda _: "Eel.")
    run(prompts(20), engine)
    assert len({call.seed for call in engine.calls}) == 20


def test_earlier_answers_stay() -> None:
    old = Answer("Carp.", by="me", scores={"reward": 1.0})
    (made,) = run([Record.born("A fish?", answers=[old])], Scripted(lambda _: "Eel."))
    assert isinstance(made, Record)
    assert made.answers == (old, Answer("Eel.", by="scripted"))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Completion(" \n"), "the reply is empty"),
        (Completion("A carp and", "length", Usage(3, 9)), "cut off after 9 tokens"),
        (Completion("the carp, " * 60), "repeats"),
    ],
)
def test_what_cannot_be_used_is_set_aside_with_its_record(reply: Completion, reason: str) -> None:
    old = Answer("Carp.", by="me")
    records = [Record.born("A fish?", answers=[old]), Record.born("A bird?")]
    engine = Scripted(lambda r: reply if "fish" in r.messages[-1].content else "A crow.")
    gone, kept = run(records, engine)
    assert isinstance(gone, Rejected)
    assert (gone.record.id, gone.stage, gone.part) == (records[0].id, DICE.stage, "record")
    assert gone.record.answers == (old, Answer(reply.text.strip(), by="scripted"))
    assert reason in gone.reason
    assert isinstance(kept, Record)


def test_good_replies_are_usable() -> None:
    assert unusable(Completion("Carp")) is None
    assert unusable(Completion("鲤鱼。", "other")) is None


def test_a_request_that_fails_sets_one_record_aside() -> None:
    def reply(request: Request) -> str:
        if "number 1." in request.messages[-1].content:
            raise EngineError("the prompt is too long")
        return "Eel."

    made = run(prompts(3), Scripted(reply))
    assert [type(item) for item in made] == [Record, Rejected, Record]
    assert isinstance(made[1], Rejected)
    assert (made[1].reason, made[1].record) == ("the prompt is too long", prompts(3)[1])


def test_an_engine_that_is_gone_stops_the_run() -> None:
    def reply(_: Request) -> str:
        raise EngineUnavailable("no server")

    with pytest.raises(EngineUnavailable, match="no server"):
        run(prompts(3), Scripted(reply))


def test_nothing_to_answer() -> None:
    assert run([], Scripted(lambda _: "Eel.")) == []
