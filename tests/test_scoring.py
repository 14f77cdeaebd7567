"""How likely an engine finds answers: what it is asked, and what becomes of the answers it cannot score."""

import asyncio
import math
from collections.abc import Callable, Sequence

import polars as pl
import pytest

from tuneworks.factory.engine import Completion, Loss, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import BudgetReached, EngineError, EngineUnavailable
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.scoring import Known, by_engine
from tuneworks.filters.words import answered

PROMPT = (Message("user", "Name a fish."),)


def known(texts: Sequence[str], reply: Callable[[Request], Completion]) -> tuple[Known, list[Request]]:
    engine = Scripted(reply)
    table = to_table([Record.born(list(PROMPT), answers=[Answer(text)]) for text in texts])
    frame: pl.DataFrame = table.select("prompt", text=answered())
    return asyncio.run(by_engine(engine, frame)), engine.calls


def scored(request: Request) -> Completion:
    """Twice as likely after a prompt, of two tokens."""
    return Completion("", loss=Loss(math.log(8 if request.messages else 16) * 2, 2))


def test_each_answer_is_asked_about_after_its_prompt_and_alone() -> None:
    found, calls = known(["A carp.", " ", "A pike."], scored)
    assert calls == [Request(prompt, given=text) for text in ("A carp.", "A pike.") for prompt in (PROMPT, ())]
    assert found["perplexity"] == pytest.approx({0: 8, 2: 8})
    assert found["alone"] == pytest.approx({0: 16, 2: 16})
    assert found["tokens"] == {0: 2, 2: 2} and found["refused"] == {}


@pytest.mark.parametrize("alone", [True, False])
def test_an_answer_that_cannot_be_scored_is_refused_and_the_others_are_not(alone: bool) -> None:
    def reply(request: Request) -> Completion:
        if request.given == "bad" and bool(request.messages) is not alone:
            raise EngineError("the model's chat template refuses the prompt")
        return scored(request)

    found, _ = known(["bad", "A carp."], reply)
    assert found["refused"] == {0: "the model's chat template refuses the prompt"}
    assert set(found["perplexity"]) == ({0, 1} if alone else {1})
    assert set(found["alone"]) == ({1} if alone else {0, 1})


@pytest.mark.parametrize("loss", [None, Loss(0.0, 0)])
def test_a_reply_that_says_nothing_of_the_answer_is_a_refusal(loss: Loss | None) -> None:
    found, _ = known(["A carp."], lambda request: Completion("", loss=loss))
    assert found["refused"] == {0: "the model gave no likelihood for the answer"} and found["tokens"] == {}


@pytest.mark.parametrize("error", [EngineUnavailable("the server is away; start it"), BudgetReached("spent", "usd")])
def test_what_stops_the_run_is_no_fault_of_a_record(error: Exception) -> None:
    def reply(request: Request) -> Completion:
        raise error

    with pytest.raises(type(error)):
        known(["A carp."], reply)
