"""Which of two answers is better: by rewards, and by a judge that is asked in both orders."""

import asyncio
import math

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Message
from tuneworks.pipelines.evaluating.held_out import HeldRow
from tuneworks.pipelines.evaluating.wins import Pair, by_reward, judged, win_line


def pair(model: str, base: str) -> Pair:
    row = HeldRow("r", "", (Message("user", "Name a fish."),), "A carp.")
    return Pair(row, Completion(model), Completion(base))


def judging(request: Request) -> Completion:
    """Prefers the answer with a carp; between others the first; is lost where somebody says nothing."""
    text = request.messages[-1].content
    if "nothing" in text:
        raise EngineError("lost")
    first, second = text.split("Answer B:")
    a = 0.9 if "carp" in first or "carp" not in second else 0.2
    return Completion("", log_probs={" A": math.log(a), " B": math.log(1 - a)})


def test_a_judge_must_say_the_same_in_both_orders() -> None:
    pairs = [pair("A carp.", "A cow."), pair("A cow.", "A carp."), pair("A cow.", "A hen."), pair("A cow.", "A cow."),
             pair("nothing", "A cow.")]  # fmt: skip
    assert asyncio.run(judged(pairs, Scripted(judging))) == [1.0, 0.0, 0.5, 0.5, None]


def test_rewards_that_differ_by_rounding_are_a_tie() -> None:
    assert by_reward([(1.0, 0.5), (0.5, 1.0), (0.3, 0.1 + 0.2)]) == [1.0, 0.0, 0.5]


def test_ties_are_what_wins_and_losses_leave() -> None:
    line = win_line([1.0, 1.0, 0.5, 0.0] * 2, "somebody")
    assert (line.model, line.base, line.items) == (0.5, 0.25, 8)
    assert line.difference is not None and line.difference.mean == 0.25
