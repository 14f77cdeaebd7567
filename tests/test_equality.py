"""Rule 1: no information gain, by log-odds in both orders, or by the word where there are none."""

import asyncio
import json
from collections.abc import Callable

import pytest

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.evol_instruct.equality import MOST_CUT, Equality, known_cut, known_pairs, shown_pairs
from tuneworks.factory.evol_instruct.prompts import CHINESE, ENGLISH

DICE = Dice(3, "made.evol_instruct")
Reply = Callable[[Request], str | Completion]


def judge(reply: Reply, structured: bool = False) -> tuple[Equality, Scripted]:
    engine = Scripted(reply, structured=structured)
    return Equality(ENGLISH, "en", engine, DICE), engine


def compared(request: Request) -> tuple[str, str]:
    text = request.messages[-1].content
    first, second = text.split("First: ")[1].split("\n\nReply")[0].split("\n\nSecond: ")
    return first, second


def leaning(toward: float) -> Reply:
    """A model that sees what is equal, leans to one answer, and prefers the order in which the longer comes last."""
    equal = {pair for pair, same in known_pairs("en").items() if same}

    def reply(request: Request) -> Completion:
        first, second = compared(request)
        sign = 1.0 if {(first, second), (second, first)} & equal or first == second else -1.0
        order = 0.6 if len(second) > len(first) else -0.6
        return Completion("", log_probs={"Equal": sign + toward + order, "Different": 0.0})

    return reply


def test_both_orders_are_asked_and_their_mean_decides() -> None:
    equality, engine = judge(leaning(0.0))
    assert asyncio.run(equality.odds("a b c d", "a")) == pytest.approx(-1.0)
    assert len(engine.calls) == 2 and all(call.candidates == ("Equal", "Different") for call in engine.calls)
    assert asyncio.run(equality.no_gain("a b c d", "a", "x")) is None
    reason = asyncio.run(equality.no_gain("Recommend a book.", "Could you recommend a book?", "x"))
    assert reason == "no information gain: log-odds 1.00 of equal, over 0.00"


def test_a_model_without_a_leaning_keeps_the_neutral_cut() -> None:
    equality, engine = judge(leaning(0.0))
    assert asyncio.run(equality.calibrated()).cut == 0.0
    assert len(engine.calls) == 2 * len(known_pairs("en"))


@pytest.mark.parametrize("toward", [-3.0, 3.0])
def test_a_leaning_is_taken_out(toward: float) -> None:
    equality = asyncio.run(judge(leaning(toward))[0].calibrated())
    assert equality.cut == pytest.approx(toward, abs=0.5)
    assert asyncio.run(equality.no_gain("Recommend a book.", "Could you recommend a book?", "x"))
    assert asyncio.run(equality.no_gain("Recommend a book.", "Recommend two long books.", "x")) is None


@pytest.mark.parametrize("toward", [-9.0, 9.0])
def test_the_cut_is_bounded(toward: float) -> None:
    cut = asyncio.run(judge(leaning(toward))[0].calibrated()).cut
    assert cut == (MOST_CUT if toward > 0 else -MOST_CUT)


def test_a_leaning_that_hangs_on_the_subject_is_taken_off_with_the_parent_beside_itself() -> None:
    equal = {pair for pair, same in known_pairs("en").items() if same}

    def reply(request: Request) -> Completion:
        first, second = compared(request)
        subject = 9.0 * (len(min(first, second, key=len)) % 4 - 1.5)
        sign = 0.0 if first == second else -1.0 if {(first, second), (second, first)} & equal else -3.0
        return Completion("", log_probs={"Equal": sign + subject, "Different": 0.0})

    equality = asyncio.run(judge(reply)[0].calibrated())
    assert equality.against_itself and equality.cut == pytest.approx(-2.0)
    assert asyncio.run(equality.no_gain("Recommend a book.", "Could you recommend a book?", "x"))
    assert asyncio.run(equality.no_gain("Recommend a book.", "Recommend a book and a film.", "x")) is None


def test_a_model_that_cannot_tell_eliminates_only_what_is_surely_equal() -> None:
    def reply(request: Request) -> Completion:
        first, second = compared(request)
        return Completion("", log_probs={"Equal": -2.0 if first == second else len(second) % 3 - 3.0, "Different": 0.0})

    equality = asyncio.run(judge(reply)[0].calibrated())
    assert equality.cut == 1.0
    assert asyncio.run(equality.no_gain("Recommend a book.", "Recommend some book.", "x")) is None


def test_the_cut_and_how_well_it_sorts() -> None:
    assert known_cut([(1.0, True), (0.6, True), (0.2, False), (-1.0, False)]) == (0.4, 1.0)
    assert known_cut([(-3.0, True), (1.0, False)]) == (0.0, 0.0)
    assert known_cut([(1.0, True)]) == (0.0, 0.0)


def test_no_pair_is_both_shown_and_known() -> None:
    for language in ("en", "zh"):
        assert not known_pairs(language).keys() & shown_pairs(language).keys()
        assert list(shown_pairs(language).values()) == [True, False] * 3
        assert {True, False} == set(known_pairs(language).values())


def spoken(words: Callable[[str], str]) -> Reply:
    def reply(request: Request) -> str:
        if request.candidates:
            raise EngineError("the server gave no log-probabilities")
        said = words(request.messages[-1].content)
        return json.dumps({"verdict": said}) if request.schema else said

    return reply


@pytest.mark.parametrize("structured", [False, True])
def test_without_log_probabilities_the_word_is_asked_in_both_orders(structured: bool) -> None:
    equality, engine = judge(spoken(lambda text: "**Equal**" if structured else "Equal."), structured)
    equality = asyncio.run(equality.calibrated())
    assert equality.cut is None
    asked = len(engine.calls)
    said = asyncio.run(equality.no_gain("a", "b", "x"))
    assert (said == "no information gain: the model says they are equal, in both orders") is not structured
    assert [bool(call.schema) for call in engine.calls[asked:]] == [structured] * (4 if structured else 2)


def test_one_order_is_not_enough() -> None:
    equality, _ = judge(spoken(lambda text: "Equal" if "First: a" in text else "Different"))
    assert asyncio.run(asyncio.run(equality.calibrated()).no_gain("a", "b", "x")) is None


def test_a_word_that_is_neither_is_no_equality() -> None:
    equality, engine = judge(spoken(lambda text: "Who knows?"))
    equality = asyncio.run(equality.calibrated())
    before = len(engine.calls)
    assert asyncio.run(equality.no_gain("a", "b", "x")) is None
    assert len(engine.calls) - before == 4


def test_a_server_that_lists_neither_answer_is_asked_for_the_word() -> None:
    equality, _ = judge(lambda r: Completion("", log_probs={}) if r.candidates else "Equal")
    assert asyncio.run(equality.no_gain("a", "b", "x")) is not None
    assert asyncio.run(equality.calibrated()).cut is None


def test_a_failing_engine_is_said_and_one_that_is_gone_stops_the_run() -> None:
    def fails(request: Request) -> str:
        raise EngineError("it broke")

    def gone(request: Request) -> str:
        raise EngineUnavailable("no server")

    equality = asyncio.run(judge(fails)[0].calibrated())
    with pytest.raises(EngineError, match="it broke"):
        asyncio.run(equality.no_gain("a", "b", "x"))
    with pytest.raises(EngineUnavailable):
        asyncio.run(judge(gone)[0].calibrated())


def test_chinese_is_asked_in_chinese() -> None:
    engine = Scripted(lambda r: Completion("", log_probs={"等同": -2.0, "不同": -0.1}))
    assert asyncio.run(Equality(CHINESE, "zh", engine, DICE).no_gain("写诗。", "写一首长诗。", "x")) is None
    assert all("等同" in call.messages[-1].content for call in engine.calls)
