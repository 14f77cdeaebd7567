"""A judge's mark is the expected value over the marks it might give."""

import asyncio
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, InputError
from tuneworks.factory.judge import MARKS, Judge, expected_mark
from tuneworks.factory.record import Answer, Record

chances = st.dictionaries(st.sampled_from([*MARKS, "0", "good"]), st.floats(-30, 0))


@given(chances)
def test_the_expected_mark(log_probs: dict[str, float]) -> None:
    known = {int(mark): math.exp(value) for mark, value in log_probs.items() if mark in MARKS}
    if not known:
        with pytest.raises(EngineError, match="none of the marks"):
            expected_mark(log_probs)
        return
    mark = expected_mark(log_probs)
    assert min(known) - 1e-9 <= mark <= max(known) + 1e-9
    assert mark == pytest.approx(sum(m * p for m, p in known.items()) / sum(known.values()))


@given(st.floats(-50, 0), st.floats(0.01, 20))
def test_more_weight_on_a_higher_mark_gives_more(low: float, more: float) -> None:
    assert expected_mark({"1": low, "5": low + more}) > expected_mark({"1": low, "5": low})


def test_marks_that_cannot_be() -> None:
    assert expected_mark({"3": -0.1, "5": -math.inf}) == pytest.approx(3.0)
    with pytest.raises(EngineError, match="none of the marks"):
        expected_mark({"3": -math.inf})


def score(record: Record, answer: Answer, engine: Scripted) -> float:
    return asyncio.run(Judge().score(record, answer, engine))


@pytest.mark.parametrize("prompt", ["Name a {fish}.", "说出一种{鱼}。"])
def test_the_judge_sees_request_and_answer(prompt: str) -> None:
    engine = Scripted(lambda _: Completion("", log_probs={"2": math.log(0.5), "4": math.log(0.5)}))
    assert score(Record.born(prompt), Answer("{carp}"), engine) == pytest.approx(3.0)
    (asked,) = engine.calls
    assert prompt in asked.messages[-1].content
    assert "{carp}" in asked.messages[-1].content
    assert asked.candidates == MARKS


def test_the_judge_asks_in_the_language_of_the_prompt() -> None:
    engine = Scripted(lambda _: Completion("", log_probs={"2": 0.0}))
    score(Record.born("Name a fish."), Answer("鲤鱼"), engine)
    score(Record.born("说出一种鱼。"), Answer("carp"), engine)
    english, chinese = (call.messages[-1].content for call in engine.calls)
    assert "回答" not in english
    assert "回答" in chinese


def test_a_judge_that_cannot_say() -> None:
    def silent(_: Request) -> Completion:
        return Completion("5")

    with pytest.raises(EngineError, match="none of the marks"):
        score(Record.born("Name a fish."), Answer("carp"), Scripted(silent))


def test_a_server_without_log_probabilities_is_named_as_the_cause() -> None:
    with pytest.raises(EngineError, match="on a server that gives log-probabilities, such as vLLM"):
        score(Record.born("Name a fish."), Answer("carp"), Scripted(lambda _: Completion("4"), structured=True))


def test_a_users_own_prompts(tmp_path: Path) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text("question: 'Is {answer} kind, given {prompt}?'\nopening: 'Kindness '\n")
    judge = Judge(prompts=str(file))
    judge.check()
    assert judge.reads() == (str(file),)
    engine = Scripted(lambda _: Completion("", log_probs={"2": 0.0}))
    record = Record.born("Name an {answer}.")
    assert asyncio.run(judge.score(record, Answer("eel"), engine)) == 2.0
    (asked,) = engine.calls
    assert (asked.messages[-1].content, asked.opening) == ("Is eel kind, given Name an {answer}.?", "Kindness ")
    assert judge == Judge(prompts=str(file))


def test_prompts_that_lack_a_place_are_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text("question: How good is {answer}?\n")
    with pytest.raises(InputError, match=r"lacks \{prompt\}"):
        Judge(prompts=str(file)).check()
    assert Judge().reads() == ()
