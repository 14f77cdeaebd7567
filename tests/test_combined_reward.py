"""Several rewards become one, and what each gave stays beside it."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.best_of_n import BestOfN
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, RecipeError
from tuneworks.factory.judge import Judge
from tuneworks.factory.record import REWARD, Answer, Record
from tuneworks.factory.reward import Reward, Scores
from tuneworks.factory.rewards.combined import BELOW, Combined
from tuneworks.factory.rewards.function import Function
from tuneworks.pipelines.recipe import parse_recipe, written

FISH = Record.born("Name a fish.")


class Listed(Reward):
    """Gives each text the number that is written down for it."""

    kind: ClassVar[str] = "listed"

    numbers: Mapping[str, float]
    """The numbers by the answers' texts."""
    gone: str = ""
    """Why nothing can be asked."""

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        if self.gone:
            raise EngineUnavailable(self.gone)
        if answer.text not in self.numbers:
            raise EngineError(f"{answer.text} is not listed")
        return self.numbers[answer.text]


class Whole(Listed):
    """Can tell of all answers or of none."""

    kind: ClassVar[str] = "whole"

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        return [{REWARD: await self.score(record, a, engine)} for a in answers]


def scores(reward: Reward, *texts: str) -> list[Scores]:
    return asyncio.run(reward.scores(FISH, [Answer(t) for t in texts], Scripted(lambda _: "")))


def reward(scores: Scores) -> float:
    assert not isinstance(scores, EngineError), scores
    return scores[REWARD]


A = Listed(numbers={"eel": 1.0, "carp": 4.0, "newt": -2.0})
B = Listed(numbers={"eel": 3.0, "carp": 0.0, "toad": 1.0})


@pytest.mark.parametrize(
    ("by", "weights", "eel", "carp"),
    [
        ("mean", None, 2.0, 2.0),
        ("mean", (3, 1), 1.5, 3.0),
        ("sum", None, 4.0, 4.0),
        ("sum", (1, -1), -2.0, 4.0),
        ("worst", None, 1.0, 0.0),
    ],
)
def test_one_number_of_two(by: str, weights: tuple[float, ...] | None, eel: float, carp: float) -> None:
    combined = Combined.model_validate({"rewards": (A, B), "by": by, "weights": weights})
    both = scores(combined, "eel", "carp")
    assert both == [{REWARD: eel, "listed": 1.0, "listed_2": 3.0}, {REWARD: carp, "listed": 4.0, "listed_2": 0.0}]
    assert asyncio.run(combined.score(FISH, Answer("eel"), Scripted(lambda _: ""))) == eel


def test_a_part_that_cannot_tell_is_named() -> None:
    newt, toad, eel = scores(Combined(rewards=(A, B)), "newt", "toad", "eel")
    assert str(newt) == "listed_2 could not tell: newt is not listed"
    assert str(toad) == "listed could not tell: toad is not listed"
    assert reward(eel) == 2.0
    whole = Combined(rewards=(B, Whole(numbers={"eel": 1.0})))
    assert {str(s) for s in scores(whole, "eel", "carp")} == {"whole could not tell: carp is not listed"}
    (nan,) = scores(Combined(rewards=(A, Listed(numbers={"eel": math.nan}))), "eel")
    assert str(nan) == "listed_2 could not tell: its score is nan"


def test_a_part_that_is_gone_stops_the_run() -> None:
    with pytest.raises(EngineUnavailable, match="no server"):
        scores(Combined(rewards=(A, Listed(numbers={}, gone="no server"))), "eel")


def test_the_gate_puts_safety_first() -> None:
    safety = Listed(numbers={"safe": 0.15, "safe but bad": 0.9, "unsafe": 0.1, "worse": -3.0})
    helpful = Listed(numbers={"safe": 5.0, "safe but bad": -70.0, "unsafe": 9.0, "worse": 9.0})
    gate = Combined(rewards=(safety, helpful), by="gate")
    found = [reward(s) for s in scores(gate, "safe", "safe but bad", "unsafe", "worse")]
    assert found[:2] == [5.0, -70.0]
    assert found[0] > found[1] > found[2] > found[3]
    assert found[2] == 0.1 - BELOW
    (far,) = scores(Combined(rewards=(A, Listed(numbers={"eel": -1e6})), by="gate"), "eel")
    assert str(far) == "a gate takes scores between -250000 and 250000, and one is -1e+06"


in_range = st.floats(-BELOW / 4, BELOW / 4)


@given(in_range, in_range, in_range, in_range, st.floats(-BELOW / 4, BELOW / 4))
def test_what_fails_the_gate_is_below_what_passes(s: float, h: float, t: float, k: float, threshold: float) -> None:
    parts = (Listed(numbers={"x": s, "y": t}), Listed(numbers={"x": h, "y": k}))
    x, y = (reward(r) for r in scores(Combined(rewards=parts, by="gate", threshold=threshold), "x", "y"))
    if s >= threshold > t:
        assert x > y
    if s >= threshold and t >= threshold:
        assert (x > y) == (h > k)


def test_rewards_inside_of_rewards_keep_their_scores() -> None:
    inner = Combined(rewards=(A, B), by="worst")
    (found,) = scores(Combined(rewards=(inner, A), by="sum"), "carp")
    assert found == {REWARD: 4.0, "combined": 0.0, "combined.listed": 4.0, "combined.listed_2": 0.0, "listed": 4.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rewards": (A,)}, "at least 2"),
        ({"rewards": "judge"}, r"write a list of rewards, such as \[judge"),
        ({"rewards": ("judge", "judge")}, "names are for recipes"),
        ({"rewards": (A, B), "weights": (1,)}, "there are 1 weights for 2 rewards"),
        ({"rewards": (A, B), "weights": (1, -1)}, "those of a mean add up to more than 0"),
        ({"rewards": (A, B), "weights": (1, math.inf), "by": "sum"}, "weights are finite numbers"),
        ({"rewards": (A, B), "weights": (1, 1), "by": "worst"}, "weights mean nothing to by: worst"),
        ({"rewards": (A, B, A), "by": "gate"}, "gate takes two rewards, safety and then helpfulness, and there are 3"),
        ({"rewards": (A, B), "by": "best"}, "'mean', 'sum', 'worst' or 'gate'"),
    ],
)
def test_options_that_do_not_fit(options: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Combined.model_validate(options)


RECIPE = """name: mixed
sources:
  asked:
    seeds: builtin
    stages:
      - best_of_n:
          n: 2
          reward:
            combined:
              by: gate
              rewards:
                - function: {file: FILE}
                - combined: {rewards: [judge, judge], by: worst}
"""


def recipe_text(tmp_path: Path) -> str:
    file = tmp_path / "safe.py"
    file.write_text("def score(prompt, answer): return float('eel' in answer)\n")
    return RECIPE.replace("FILE", str(file))


def test_it_is_written_in_a_recipe(tmp_path: Path) -> None:
    recipe = parse_recipe(recipe_text(tmp_path), "mixed.yaml")
    (stage,) = recipe.sources["asked"].stages
    assert isinstance(stage, BestOfN) and isinstance(stage.reward, Combined)
    file = str(tmp_path / "safe.py")
    assert stage.reward == Combined(
        rewards=(Function(file=file), Combined(rewards=(Judge(), Judge()), by="worst")), by="gate"
    )
    assert parse_recipe(written(recipe), "again") == recipe
    stage.check()
    assert stage.reads() == (file,)
    (tmp_path / "safe.py").unlink()
    with pytest.raises(RecipeError, match="there is no file"):
        stage.check()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{file: FILE}", "{fil: FILE}", "function has no option 'fil'; did you mean 'file'?"),
        ("[judge, judge]", "[judge, juge]", "there is no reward 'juge'; did you mean 'judge'?"),
        ("by: gate", "by: gates", "by of combined cannot be 'gates'"),
        ("by: worst}", "by: worst, weights: [1, 1]}", "weights mean nothing to by: worst; leave them out"),
    ],
)
def test_a_mistake_inside_is_named_with_file_and_line(old: str, new: str, words: str) -> None:
    with pytest.raises(RecipeError, match=r"mixed\.yaml, line \d+: ") as caught:
        parse_recipe(RECIPE.replace(old, new), "mixed.yaml")
    assert words in str(caught.value)


def test_the_parts_are_asked_at_the_same_time() -> None:
    """Else an engine that forms batches of what waits would see its requests in an order that hangs on the clock."""
    waiting: set[str] = set()
    met = asyncio.Event()

    class Meeting(Scripted):
        async def complete(self, request: Request) -> Completion:
            waiting.add(request.messages[-1].content)
            if len(waiting) == 4:
                met.set()
            await met.wait()
            return Completion("", log_probs={"3": 0.0})

    async def work() -> list[Scores]:
        judges = (Judge(), Judge(prompts=None))
        answers = [Answer("eel"), Answer("carp"), Answer("pike"), Answer("tench")]
        return await Combined(rewards=judges).scores(FISH, answers, Meeting(lambda _: ""))

    found = asyncio.run(asyncio.wait_for(work(), 10))
    assert [reward(s) for s in found] == [3.0] * 4
