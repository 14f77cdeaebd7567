"""Several answers to each prompt, each scored; what cannot be used or repeats another is set aside."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.best_of_n import REWARD, BestOfN, different
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.judge import Judge
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import Answer, Record, Rejected, best_answer
from tuneworks.factory.reward import Reward

DICE = Dice(3, "made.best_of_n")
FISH = Record.born("Name a fish.")


class Longer(Reward):
    """Long answers are good; a stone cannot be judged."""

    kind: ClassVar[str] = "longer"

    times: float = 1.0
    """A letter's worth."""

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        if answer.text == "stone":
            raise EngineError("a stone has no length")
        return self.times * len(answer.text)


def build(family: str, spec: object, field: str) -> Plugin:
    assert (family, field) == ("rewards", "reward")
    known: dict[str, type[Plugin]] = {"longer": Longer, "judge": Judge}
    if isinstance(spec, str):
        return known[spec]()
    assert isinstance(spec, dict)
    ((kind, options),) = spec.items()
    return known[kind].model_validate(options)


def run(records: Sequence[Record], engine: Engine, generator: BestOfN) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        return [item async for item in generator.generate(records, engine, DICE)]

    return asyncio.run(collect())


def saying(*texts: str | Completion | Exception) -> Scripted:
    """An engine that says these in turn."""
    left = list(texts)

    def reply(_: Request) -> str | Completion:
        said = left.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    return Scripted(reply)


def rewards(record: Record) -> dict[str, float]:
    return {answer.text: answer.scores[REWARD] for answer in record.answers}


def test_every_sample_is_scored() -> None:
    (made,) = run([FISH], saying("eel", "trout", "bream"), BestOfN(n=3, reward=Longer()))
    assert isinstance(made, Record)
    assert made.id == FISH.id
    assert rewards(made) == {"eel": 3.0, "trout": 5.0, "bream": 5.0}
    best = best_answer(made)
    assert best == Answer("trout", by="scripted", scores={REWARD: 5.0})


def test_samples_differ_by_their_seed() -> None:
    engine = Scripted(lambda r: f"fish {r.seed}")
    run([FISH, Record.born("Name a bird.")], engine, BestOfN(n=4, reward=Longer()))
    assert len({call.seed for call in engine.calls}) == 8


def test_answers_it_has_already_compete() -> None:
    old = [Answer("a long description of a carp", by="me", scores={"other": 0.5}), Answer("EEL", by="you")]
    items = run([FISH.with_answers(old)], saying("eel ", "trout"), BestOfN(n=2, reward=Longer()))
    aside, made = items
    assert isinstance(made, Record)
    assert rewards(made) == {old[0].text: 28.0, "EEL": 3.0, "trout": 5.0}
    assert made.answers[0].scores["other"] == 0.5
    assert [a.by for a in made.answers] == ["me", "you", "scripted"]
    assert isinstance(aside, Rejected)
    assert (aside.reason, aside.part, aside.stage) == ("the same as another answer", "answer", DICE.stage)
    assert [a.text for a in aside.record.answers] == ["eel"]


def test_what_cannot_be_used_goes_before_it_is_scored() -> None:
    said: list[str | Completion | Exception] = [
        "",
        Completion("a trou", "length"),
        "the carp, " * 60,
        EngineError("too long"),
        "stone",
        "eel",
    ]
    *aside, made = run([FISH], saying(*said), BestOfN(n=6, reward=Longer()))
    assert isinstance(made, Record)
    assert rewards(made) == {"eel": 3.0}
    reasons = [item.reason for item in aside if isinstance(item, Rejected) and item.part == "answer"]
    assert len(reasons) == 5
    for reason, words in zip(reasons, ["empty", "cut off", "repeats", "too long", "no length"], strict=True):
        assert words in reason


def test_a_record_without_a_usable_answer_is_rejected() -> None:
    *aside, gone = run([FISH], saying("", EngineError("too long"), "stone"), BestOfN(n=3, reward=Longer()))
    assert gone == Rejected(FISH, DICE.stage, "none of 3 answers can be used")
    assert len(aside) == 3


def test_an_engine_that_is_gone_stops_the_run() -> None:
    with pytest.raises(EngineUnavailable, match="no server"):
        run([FISH], saying("eel", EngineUnavailable("no server")), BestOfN(n=2, reward=Longer()))


def test_the_judge_is_asked_through_the_same_engine() -> None:
    def reply(request: Request) -> str | Completion:
        if request.candidates:
            return Completion("", log_probs={"5" if "trout" in request.messages[-1].content else "1": 0.0})
        return "trout" if len(engine.calls) == 1 else "eel"

    engine = Scripted(reply)
    (made,) = run([FISH], engine, BestOfN(n=2))
    assert isinstance(made, Record)
    assert rewards(made) == {"trout": 5.0, "eel": 1.0}


def test_the_result_does_not_hang_on_which_reply_came_first() -> None:
    class Slow(Scripted):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(request.seed % 7 / 1000)
            return await super().complete(request)

    def reply(request: Request) -> str:
        return "x" * (request.seed % 5)

    records = [Record.born(f"Name fish number {n}.") for n in range(12)]
    options = BestOfN(n=4, reward=Longer())
    assert run(records, Slow(reply), options) == run(records, Scripted(reply), options)


@pytest.mark.parametrize("spec", ["longer", {"longer": {"times": 2.0}}])
def test_a_reward_is_named_in_a_recipe(spec: object) -> None:
    made = BestOfN.model_validate({"reward": spec}, context={"build": build})
    assert isinstance(made.reward, Longer)
    assert BestOfN.model_validate(made.written()["best_of_n"], context={"build": build}) == made


def test_a_reward_by_name_needs_the_catalog() -> None:
    with pytest.raises(ValidationError, match="names are for recipes"):
        BestOfN.model_validate({"reward": "longer"})
    assert BestOfN().reward == Judge()


texts = st.sampled_from(["eel", "Eel", " eel\n", "trout", "a  carp", "a carp"])
answers = st.builds(Answer, texts)
set_aside = st.builds(lambda a: Rejected(FISH.with_answers([a]), "s", "empty", "answer"), answers)


def alike(answer: Answer) -> str:
    return " ".join(answer.text.split()).lower()


@given(st.lists(answers, max_size=4), st.lists(answers | set_aside, max_size=5))
def test_different_loses_nothing_and_keeps_each_text_once(old: list[Answer], samples: list[Answer | Rejected]) -> None:
    kept, aside = different(FISH.with_answers(old), samples, "s")
    assert len(kept) + len(aside) == len(old) + len(samples)
    assert len({alike(a) for a in kept}) == len(kept)
    usable = [a for a in [*old, *samples] if isinstance(a, Answer)]
    assert {alike(a) for a in kept} == {alike(a) for a in usable}
    assert kept == [a for n, a in enumerate(usable) if alike(a) not in map(alike, usable[:n])]
