"""One try of a round: what the answer to an evolution decides, and what is kept of one that is eliminated."""

import asyncio

import pytest

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.evol_instruct import EvolInstruct
from tuneworks.factory.evol_instruct.equality import EQUALS
from tuneworks.factory.evol_instruct.rounds import evolved
from tuneworks.factory.record import Message, Record, Rejected

DICE = Dice(5, "made.evol_instruct")
SEED = Record.born("Write a note about heron eggs.", source="made")
EVOLVED = "Write a note about heron eggs. Name at least three colours and use no more than forty words."


def tried(
    answer: str | Completion | EngineError, equal: Completion | EngineError | None = None
) -> list[Record | Rejected]:
    def reply(request: Request) -> str | Completion:
        said: str | Completion | EngineError
        if request.messages[0].content.startswith("Compare two requests"):
            ours = equal if EVOLVED in request.messages[-1].content or isinstance(equal, EngineError) else None
            known = any(all(text in request.messages[-1].content for text in pair) for pair in EQUALS["en"])
            said = ours or Completion(
                "", log_probs=dict(zip(request.candidates, (known - 1.0, -1.0 * known), strict=True))
            )
        else:
            said = EVOLVED if len(request.messages) > 2 else answer
        if isinstance(said, EngineError):
            raise said
        return said

    async def collect() -> list[Record | Rejected]:
        options = EvolInstruct(rounds=1, operators={"constraints": 1}, leads=False, originals=False)
        return [item async for item in options.generate([SEED], Scripted(reply), DICE)]

    return asyncio.run(collect())


def test_a_good_answer_stays_with_the_evolution() -> None:
    (record,) = tried("Blue, white and green.")
    assert isinstance(record, Record)
    assert record.prompt_text == EVOLVED and [a.text for a in record.answers] == ["Blue, white and green."]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I am sorry, I have no idea.", 'its answer says "sorry" in 7 words, fewer than 80'),
        ("... the of ...", "its answer is only marks and 2 stop words"),
        ("", "its answer is only marks and 0 stop words"),
        (EngineError("out of memory"), "it could not be answered: out of memory"),
    ],
)
def test_an_answer_can_eliminate_the_evolution(answer: str | EngineError, reason: str) -> None:
    gone, whole = tried(answer)
    assert isinstance(gone, Rejected) and gone.reason == reason and gone.part == "reply"
    assert isinstance(whole, Rejected) and whole.reason == f"could not be evolved in 1 rounds: {reason}"
    record = gone.record
    texts = [a.text for a in record.answers]
    assert texts == ([EVOLVED] if isinstance(answer, EngineError) else [EVOLVED, answer])
    assert record.prompt[-1].content.endswith(SEED.prompt_text) and record.parents == (SEED.id,)
    assert (record.meta["operator"], record.meta["round"]) == ("constraints", 1)
    assert record.meta["instruction"] == EVOLVED and record.source == "made"


def test_an_answer_that_is_cut_off_is_set_aside_and_the_evolution_stays() -> None:
    record, gone = tried(Completion("Blue, white and", "length"))
    assert isinstance(record, Record) and record.answers == ()
    assert isinstance(gone, Rejected) and gone.part == "answer" and "cut off" in gone.reason
    assert gone.record.id == record.id and [a.text for a in gone.record.answers] == ["Blue, white and"]


def test_what_the_model_finds_equal_is_eliminated_before_it_is_answered() -> None:
    gone, _ = tried("never asked", Completion("", log_probs={"Equal": 0.0, "Different": -3.0}))
    assert isinstance(gone, Rejected) and gone.reason.startswith("no information gain: log-odds 3.00")
    assert len(gone.record.answers) == 1


def test_what_cannot_be_compared_is_eliminated_with_the_reason() -> None:
    gone, _ = tried("never asked", EngineError("it broke"))
    assert isinstance(gone, Rejected) and gone.reason == "it could not be compared with its parent: it broke"


def test_an_engine_that_goes_away_while_it_answers_stops_the_run() -> None:
    with pytest.raises(EngineUnavailable, match="no server"):
        tried(EngineUnavailable("no server"))


def test_an_input_is_a_part_of_the_prompt_and_old_facts_go() -> None:
    parent = Record.born(
        [Message("system", "Be brief."), Message("user", "Sort it.")], meta={"line": 3, "depth": 2, "operator": "x"}
    )
    made = evolved(parent, "Sort these.", "```\n2 1\n```", {"operator": "deepen", "round": 4})
    assert made.prompt == (Message("system", "Be brief."), Message("user", "Sort these.\n\n```\n2 1\n```"))
    assert made.meta == {
        "operator": "deepen", "round": 4, "instruction": "Sort these.", "input": "```\n2 1\n```", "depth": 3,
    }  # fmt: skip
