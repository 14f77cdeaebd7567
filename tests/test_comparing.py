"""The probabilities of the letters A and B, over both orders and all principles."""

import asyncio
import math
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.rlaif.comparing import Comparer, Comparison, all_of, letters_after, share_of_a
from tuneworks.factory.rlaif.prompts import CHINESE, ENGLISH, RlaifPrompts

DICE = Dice(3, "made.rlaif")
chances = st.floats(0.0, 1.0)


def letters(a: float) -> Completion:
    return Completion("", log_probs={"A": math.log(max(a, 1e-300)), "B": math.log(max(1 - a, 1e-300))})


def compare(
    reply: Callable[[Request], str | Completion],
    *principles: str,
    reasoning: bool = False,
    clamp: tuple[float, float] = (0.0, 1.0),
    prompts: RlaifPrompts = ENGLISH,
) -> tuple[Comparison, list[Request]]:
    engine = Scripted(reply)
    comparer = Comparer(engine, prompts, DICE, reasoning, clamp)
    made = asyncio.run(comparer.compare("Name a fish.", "eel", "newt", principles or ("Which is a fish?",), "r", 0, 1))
    return made, engine.calls


def shown_first(request: Request) -> str:
    text = request.messages[0].content
    return "eel" if text.index("eel") < text.index("newt") else "newt"


@given(chances, chances)
def test_both_orders_are_averaged_and_their_distance_kept(ahead: float, behind: float) -> None:
    made, calls = compare(lambda r: letters(ahead if shown_first(r) == "eel" else 1 - behind))
    assert [shown_first(r) for r in calls] == ["eel", "newt"]
    assert made.preferred == pytest.approx((ahead + behind) / 2)
    assert made.bias == pytest.approx(abs(ahead - behind))


@given(chances)
def test_a_model_that_only_leans_to_a_place_prefers_nothing(lean: float) -> None:
    made, _ = compare(lambda _: letters(lean))
    assert made.preferred == pytest.approx(0.5)
    assert made.bias == pytest.approx(abs(2 * lean - 1))


def test_principles_are_averaged() -> None:
    by_principle = {"kind?": 0.9, "true?": 0.5}

    def reply(request: Request) -> Completion:
        p = next(p for name, p in by_principle.items() if name in request.messages[0].content)
        return letters(p if shown_first(request) == "eel" else 1 - p)

    made, calls = compare(reply, *by_principle)
    assert made.preferred == pytest.approx(0.7) and made.bias == pytest.approx(0.0)
    assert len(calls) == 4


@pytest.mark.parametrize("prompts", [ENGLISH, CHINESE])
def test_the_letter_is_read_after_the_opening(prompts: RlaifPrompts) -> None:
    _, (call, _) = compare(lambda _: letters(0.5), prompts=prompts)
    assert (call.candidates, call.opening) == (letters_after(prompts.opening), prompts.opening)
    (message,) = call.messages
    for text in ("Name a fish.", "eel", "newt", "Which is a fish?"):
        assert text in message.content


def test_the_model_may_reason_first_and_is_then_held_near_a_half() -> None:
    def reply(request: Request) -> str | Completion:
        if request.candidates:
            return letters(0.99 if shown_first(request) == "eel" else 0.01)
        return f" A newt is no fish, {shown_first(request)}. "

    made, calls = compare(reply, reasoning=True, clamp=(0.4, 0.6))
    assert made.preferred == pytest.approx(0.6) and made.bias == pytest.approx(0.0)
    asked, read = ([c for c in calls if bool(c.candidates) == letter] for letter in (False, True))
    assert [len(c.messages) for c in asked + read] == [1, 1, 3, 3]
    assert len({c.seed for c in asked}) == 2
    for before, after in zip(asked, read, strict=True):
        assert after.messages[0] == before.messages[0]
        assert after.messages[1].content == f"A newt is no fish, {shown_first(before)}."
        assert ENGLISH.reasoning in before.messages[0].content


@given(st.text() | st.sampled_from(["", "\x00", "(A) (B)", "{principle}", '{"first": ']))
def test_any_reasoning_is_shown_as_it_is_or_refused(thoughts: str) -> None:
    def reply(request: Request) -> str | Completion:
        return letters(0.5) if request.candidates else thoughts

    if not thoughts.strip():
        with pytest.raises(EngineError, match="the reasoning is empty"):
            compare(reply, reasoning=True)
        return
    _, calls = compare(reply, reasoning=True)
    assert {c.messages[1].content for c in calls if c.candidates} == {thoughts.strip()}


@given(st.text(), st.text())
def test_answers_may_hold_anything(first: str, second: str) -> None:
    engine = Scripted(lambda _: letters(0.5))
    comparer = Comparer(engine, ENGLISH, DICE, False, (0.0, 1.0))
    asyncio.run(comparer.compare("{first} {second} {principle}", first, second, ("Which?",), "r"))
    ahead, _ = (c.messages[0].content for c in engine.calls)
    assert f"Answer A: {first}\n\nAnswer B: {second}\n\n" in ahead
    assert "{first} {second} {principle}" in ahead


log_probs = st.dictionaries(st.sampled_from(["A", "B", "C", "(A", ""]), st.floats(-50, 0))


@given(log_probs)
def test_the_share_of_a(given_: Mapping[str, float]) -> None:
    if not {"A", "B"} & set(given_):
        with pytest.raises(EngineError, match="on a server that gives log-probabilities, such as vLLM"):
            share_of_a(given_)
        return
    a, b = (math.exp(given_[x]) if x in given_ else 0.0 for x in "AB")
    assert share_of_a(given_) == pytest.approx(a / (a + b))


@pytest.mark.parametrize(
    ("opening", "letters"),
    [("Answer", (" A", " B")), ("(", ("A", "B")), ("回答", ("A", "B")), ("It is ", ("A", "B")), ("", ("A", "B"))],
)
def test_letters_follow_a_latin_word_with_their_space(opening: str, letters: tuple[str, str]) -> None:
    assert letters_after(opening) == letters
    assert share_of_a(dict(zip(letters, (math.log(0.3), math.log(0.1)), strict=True))) == pytest.approx(0.75)


def test_letters_that_cannot_be() -> None:
    with pytest.raises(EngineError, match="neither A nor B has any probability"):
        share_of_a({"A": -math.inf, "B": -math.inf})


def test_the_same_failure_is_raised_whichever_came_first() -> None:
    async def fail(error: Exception, after: float) -> int:
        await asyncio.sleep(after)
        raise error

    async def work(*errors: Exception) -> list[int]:
        return await all_of(fail(e, after) for e, after in zip(errors, (0.02, 0.01, 0.0), strict=False))

    with pytest.raises(EngineError, match="one"):
        asyncio.run(work(EngineError("one"), EngineError("two")))
    with pytest.raises(EngineUnavailable, match="gone"):
        asyncio.run(work(EngineError("one"), EngineUnavailable("gone"), EngineError("two")))
