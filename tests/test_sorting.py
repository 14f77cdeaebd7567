"""A two-way question about a task, and the cut that sorts what is known."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Record
from tuneworks.factory.self_instruct.sorting import Question, Wording, best_cut

WORDING = Wording(ask="A fish or a bird?", task="Task:", answer="It is:", yes=" fish", no=" bird")


def seeds(fish: int, birds: int) -> list[Record]:
    names = [*(f"carp {n}" for n in range(fish)), *(f"crow {n}" for n in range(birds))]
    return [Record.born(name, meta={"instruction": name}) for name in names]


def is_fish(seed: Record) -> bool:
    return "carp" in seed.prompt_text


def asked_about(request: Request) -> str:
    return request.opening.rsplit(WORDING.task, 1)[1].split("\n")[0].strip()


def leaning(yes: float, no: float) -> Callable[[Request], Completion]:
    """A model that tells fish from birds, with these log-odds."""

    def reply(request: Request) -> Completion:
        odds = yes if "carp" in asked_about(request) else no
        return Completion("", log_probs={WORDING.yes: odds, WORDING.no: 0.0})

    return reply


def answers(question: Question, engine: Scripted, *tasks: str) -> list[bool]:
    async def ask() -> list[bool]:
        ready = await question.calibrated(engine)
        return [await ready.answer(task, engine) for task in tasks]

    return asyncio.run(ask())


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(("yes", "no"), [(1.0, -1.0), (9.0, 5.0), (-3.0, -8.0)])
def test_a_model_that_leans_one_way_is_understood(yes: float, no: float, balanced: bool) -> None:
    question = Question(WORDING, is_fish, seeds(20, 40), Dice(1, "s"), balanced)
    assert answers(question, Scripted(leaning(yes, no)), "carp new", "crow new") == [True, False]


def test_what_is_asked() -> None:
    engine = Scripted(leaning(1.0, -1.0))
    known = seeds(20, 20)
    answers(Question(WORDING, is_fish, known, Dice(1, "s")), engine, "carp new")
    openings = {call.opening.rsplit(WORDING.task, 1)[0] for call in engine.calls}
    assert len(openings) == 1, "a model reads the examples once"
    (examples,) = openings
    assert WORDING.yes in examples
    assert WORDING.no in examples
    assert {call.candidates for call in engine.calls} == {(WORDING.yes, WORDING.no)}
    tested = [asked_about(call) for call in engine.calls[:-1]]
    assert tested
    assert not any(f"{WORDING.task} {name}\n" in examples for name in tested), "no seed is both example and test"
    for line in examples.split("\n\n")[:-1]:
        assert (WORDING.yes in line) == ("carp" in line)


def test_the_same_choices_every_time() -> None:
    first, second = Scripted(leaning(1.0, -1.0)), Scripted(leaning(1.0, -1.0))
    for engine in (first, second):
        answers(Question(WORDING, is_fish, seeds(20, 20), Dice(1, "s")), engine, "carp new")
    assert first.calls == second.calls


@pytest.mark.parametrize(("fish", "birds"), [(0, 0), (1, 0), (0, 1), (1, 1), (5, 0)])
def test_few_seeds(fish: int, birds: int) -> None:
    question = Question(WORDING, is_fish, seeds(fish, birds), Dice(1, "s"))
    assert answers(question, Scripted(leaning(1.0, -1.0)), "carp new", "crow new") == [True, False]


def test_a_candidate_the_server_left_out_is_unlikely() -> None:
    engine = Scripted(lambda _: Completion("", log_probs={WORDING.yes: -1.0}))
    assert asyncio.run(Question(WORDING, is_fish, [], Dice(1, "s")).answer("carp", engine))
    silent = Scripted(lambda _: Completion(""))
    assert not asyncio.run(Question(WORDING, is_fish, [], Dice(1, "s")).answer("carp", silent))


def test_a_seed_that_cannot_be_asked_about_tells_nothing() -> None:
    def reply(request: Request) -> Completion:
        if "7" in asked_about(request):
            raise EngineError("too long")
        return leaning(9.0, 5.0)(request)

    question = Question(WORDING, is_fish, seeds(20, 40), Dice(1, "s"))
    assert answers(question, Scripted(reply), "carp new", "crow new") == [True, False]


@pytest.mark.parametrize("error", [EngineError, EngineUnavailable])
def test_an_engine_that_fails(error: type[EngineError]) -> None:
    def reply(_: Request) -> Completion:
        raise error("no")

    async def calibrate() -> Question:
        return await Question(WORDING, is_fish, seeds(20, 40), Dice(1, "s")).calibrated(Scripted(reply))

    if error is EngineUnavailable:
        with pytest.raises(EngineUnavailable):
            asyncio.run(calibrate())
    else:
        assert asyncio.run(calibrate()).cut == 0.0


pairs = st.lists(st.tuples(st.integers(-9, 9).map(float), st.booleans()), max_size=12)


@given(pairs, st.booleans())
def test_no_cut_sorts_better_than_the_best(known: list[tuple[float, bool]], balanced: bool) -> None:
    odds, truths = [o for o, _ in known], [t for _, t in known]
    found = best_cut(odds, truths, balanced)
    if len(set(truths)) < 2:
        assert found == 0.0
        return

    def right(cut: float) -> float:
        shares = [
            sum((o > cut) == t for o, t in known if t == kind) / (truths.count(kind) if balanced else 1)
            for kind in (True, False)
        ]
        return sum(shares)

    between = [n / 2 for n in range(-20, 21) if min(odds) <= n / 2 < max(odds)]
    assert right(found) == pytest.approx(max(map(right, [0.0, *between])))
    if not balanced:  # sums of fractions differ in their last bit
        assert found == 0.0 or right(found) > right(0.0)
