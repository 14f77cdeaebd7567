"""Several answers to each prompt, each scored; what cannot be used or repeats another is set aside."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from tuneworks.factory.best_of_n import GAIN, REWARD, BestOfN, different, highest
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.judge import Judge
from tuneworks.factory.pair_rules import NO_PAIR, PairRule
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.record import PAIR, Answer, Record, Rejected, best_answer
from tuneworks.factory.reward import Reward, Scores

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
    assert best == Answer("trout", by="scripted", scores={"round": 1.0, "sample": 2.0, REWARD: 5.0, PAIR: 1.0})


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
    assert len(reasons) == 6
    words_of = ["empty", "cut off", "repeats", "too long", "no length", "no pair: 1 of its answers"]
    for reason, words in zip(reasons, words_of, strict=True):
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


@pytest.mark.parametrize(
    "options",
    [
        BestOfN(n=4, reward=Longer()),
        BestOfN(n=2, rounds=3, keep=4, pair="best_random", length_penalty=0.1, reward=Longer()),
    ],
)
def test_the_result_does_not_hang_on_which_reply_came_first(options: BestOfN) -> None:
    class Slow(Scripted):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(request.seed % 7 / 1000)
            return await super().complete(request)

    def reply(request: Request) -> str:
        return "x" * (request.seed % 5)

    records = [Record.born(f"Name fish number {n}.") for n in range(12)]
    assert run(records, Slow(reply), options) == run(records, Scripted(reply), options)


class Given(Reward):
    """Each text's reward as it is written; several scores at once, and errors that are returned."""

    kind: ClassVar[str] = "given"

    marks: Mapping[str, float] = Field(default_factory=dict)
    """The reward of each text; a text without one cannot be scored."""

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        raise AssertionError("scores is what is asked")

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        return [self._of(a) for a in answers]

    def _of(self, answer: Answer) -> Scores:
        if answer.text not in self.marks:
            return EngineError(f"no mark for {answer.text}")
        return {REWARD: self.marks[answer.text], "letters": float(len(answer.text))}


class Broken(Reward):
    """Cannot score a batch at all."""

    kind: ClassVar[str] = "broken"

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return 0.0

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        raise EngineError("the scorer is out of memory")


def aside_of(items: Sequence[Record | Rejected]) -> dict[str, str]:
    """Reasons by the text of the answer; those for no pair under "pair"."""
    gone = [item for item in items if isinstance(item, Rejected) and item.part == "answer"]
    return {"pair" if r.reason.startswith("no pair") else r.record.answers[0].text: r.reason for r in gone}


def marks(record: Record) -> dict[str, float]:
    return {a.text: a.scores[PAIR] for a in record.answers if PAIR in a.scores}


def test_a_reward_made_of_parts_keeps_them_beside_the_reward() -> None:
    reward = Given(marks={"eel": 1.0, "trout": 2.0})
    (made,) = run([FISH], saying("eel", "trout"), BestOfN(n=2, reward=reward))
    assert isinstance(made, Record)
    assert [a.scores["letters"] for a in made.answers] == [3.0, 5.0]


@pytest.mark.parametrize(("pair", "rejected"), [("best_worst", "eel"), ("best_second", "bream"), ("best_random", None)])
def test_the_pair_rule_of_the_recipe_marks_the_answers(pair: PairRule, rejected: str | None) -> None:
    reward = Given(marks={"eel": 1.0, "trout": 9.0, "bream": 7.0, "carp": 3.0})
    options = BestOfN(n=4, reward=reward, pair=pair)
    (made,) = run([FISH], saying("eel", "trout", "bream", "carp"), options)
    assert isinstance(made, Record)
    (other,) = marks(made).keys() - {"trout"}
    assert marks(made) == {"trout": 1.0, other: 0.0}
    assert rejected is None or other == rejected


def test_equal_rewards_are_no_pair_and_the_record_stays() -> None:
    items = run([FISH], saying("eel", "cod", "ray"), BestOfN(n=3, reward=Longer()))
    *_, made = items
    assert isinstance(made, Record) and len(made.answers) == 3
    assert aside_of(items) == {"pair": "no pair: its 3 rewards are all 3, a tie"}
    assert marks(made) == {} and made.meta[NO_PAIR] == "its 3 rewards are all 3, a tie"
    assert made.meta[GAIN] == 0.0


def test_a_margin_that_is_too_small_is_no_pair() -> None:
    items = run([FISH], saying("eel", "trout"), BestOfN(n=2, reward=Longer(), min_margin=3))
    assert aside_of(items) == {"pair": "no pair: the margin of 2 is under 3"}


def test_the_length_penalty_picks_and_leaves_the_rewards_alone() -> None:
    reward = Given(marks={"a trout, which is a fish": 5.0, "trout": 4.9, "eel": 1.0})
    options = BestOfN(n=3, reward=reward, length_penalty=0.1)
    (made,) = run([FISH], saying("a trout, which is a fish", "trout", "eel"), options)
    assert isinstance(made, Record)
    assert marks(made) == {"trout": 1.0, "eel": 0.0}
    assert rewards(made)["a trout, which is a fish"] == 5.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_finite_number_sets_the_answer_aside(bad: float) -> None:
    reward = Given(marks={"eel": 1.0, "trout": bad, "carp": 2.0})
    items = run([FISH], saying("eel", "trout", "carp", "cod"), BestOfN(n=4, reward=reward))
    *_, made = items
    assert isinstance(made, Record)
    assert rewards(made) == {"eel": 1.0, "carp": 2.0}
    assert aside_of(items) == {"trout": f"its reward is {bad:g}, which ranks nothing", "cod": "no mark for cod"}


def test_a_scorer_that_fails_sets_all_its_answers_aside() -> None:
    items = run([FISH], saying("eel", "trout"), BestOfN(n=2, reward=Broken()))
    assert items[-1] == Rejected(FISH, DICE.stage, "none of 2 answers can be used")
    assert aside_of(items) == dict.fromkeys(["eel", "trout"], "the scorer is out of memory")


def test_a_scorer_that_is_gone_stops_the_run() -> None:
    def reply(request: Request) -> str:
        if request.candidates:
            raise EngineUnavailable("the judge is gone")
        return f"fish {request.seed}"

    with pytest.raises(EngineUnavailable, match="the judge is gone"):
        run([FISH], Scripted(reply), BestOfN(n=2))


def test_an_engine_that_always_fails_comes_to_an_end() -> None:
    def reply(_: Request) -> str:
        raise EngineError("no memory is left")

    records = [Record.born(f"Fish {n}?") for n in range(5)]
    items = run(records, Scripted(reply), BestOfN(n=3, rounds=2, reward=Longer()))
    gone = [item for item in items if isinstance(item, Rejected)]
    assert len(gone) == len(items) == 5 * (6 + 1)
    assert [r.record for r in gone if r.part == "record"] == records
    assert {r.reason for r in gone if r.part == "record"} == {"none of 6 answers can be used"}
    assert {r.reason for r in gone if r.part == "answer"} == {"no memory is left"}


def test_an_answer_without_text_that_came_along_is_set_aside() -> None:
    items = run([FISH.with_answers([Answer(" \n")])], saying("eel"), BestOfN(n=1, reward=Longer()))
    assert aside_of(items)[" \n"] == "it has no text"
    assert rewards(next(i for i in items if isinstance(i, Record))) == {"eel": 3.0}


def numbered(request: Request) -> str:
    """A text for each seed, so that its length says which sample it is."""
    return f"fish {request.seed}"


def test_the_answers_of_all_rounds_compete() -> None:
    said = ["x" * n for n in (9, 2, 3, 4, 8, 1)]  # the best one comes first and the worst one last
    items = run([FISH], saying(*said), BestOfN(n=2, rounds=3, keep=3, reward=Longer()))
    *_, made = items
    assert isinstance(made, Record)
    assert [(len(a.text), a.scores["round"], a.scores["sample"]) for a in made.answers] == [
        (9, 1, 1),
        (4, 2, 2),
        (8, 3, 1),
    ]
    assert {len(text): reason for text, reason in aside_of(items).items()} == {
        2: "its reward of 2 comes after the 4 of the last of 3 kept",
        3: "its reward of 3 comes after the 4 of the last of 3 kept",
        1: "its reward of 1 comes after the 4 of the last of 3 kept",
    }
    assert {len(text): mark for text, mark in marks(made).items()} == {9: 1.0, 4: 0.0}
    assert made.meta[GAIN] == 9 - 3.5  # of all that were scored, those that fell out too


def test_keeping_one_leaves_no_pair_and_says_so() -> None:
    items = run([FISH], saying("eel", "trout"), BestOfN(n=2, keep=1, reward=Longer()))
    *_, made = items
    assert isinstance(made, Record)
    assert rewards(made) == {"trout": 5.0}
    assert aside_of(items)["pair"] == "no pair: 1 of its answers carry a reward, and a pair needs 2"


def test_an_old_answer_stays_when_it_beats_the_new_ones() -> None:
    old = Answer("a long description of a carp", by="before", scores={REWARD: -1.0, PAIR: 0.0, "round": 2.0})
    *_, made = run([FISH.with_answers([old])], saying("eel", "trout"), BestOfN(n=2, keep=2, reward=Longer()))
    assert isinstance(made, Record)
    assert [(a.by, a.scores["round"], a.scores[PAIR]) for a in made.answers] == [("before", 2, 1), ("scripted", 3, 0)]


def seeds_of(record: Record, options: BestOfN) -> Counter[int]:
    engine = Scripted(numbered)
    run([record], engine, options)
    return Counter(call.seed for call in engine.calls)


def test_more_samples_or_rounds_ask_only_for_what_is_new() -> None:
    few = seeds_of(FISH, BestOfN(n=2, rounds=2, reward=Longer()))
    for more in (BestOfN(n=3, rounds=2, reward=Longer()), BestOfN(n=2, rounds=3, reward=Longer())):
        grown = seeds_of(FISH, more)
        assert grown.total() == 6 and not few - grown
    one = seeds_of(FISH, BestOfN(n=2, reward=Longer()))
    assert one.total() == 2 and not one - few


def test_a_later_run_samples_other_answers_than_the_one_before() -> None:
    options = BestOfN(n=2, reward=Longer())
    (first,) = [item for item in run([FISH], Scripted(numbered), options) if isinstance(item, Record)]
    assert not seeds_of(FISH, options) & seeds_of(first, options)


def test_the_preset_asks_as_the_paper_does_and_yields_to_what_is_written() -> None:
    made = BestOfN.model_validate({"preset": "paper", "max_tokens": 100})
    assert (made.n, made.temperature, made.top_p, made.pair, made.max_tokens) == (8, 1.0, 1.0, "best_worst", 100)


@pytest.mark.parametrize(
    "options",
    [{"n": -1}, {"rounds": 0}, {"keep": 0}, {"min_margin": -1}, {"length_penalty": math.nan}, {"pair": "best"}],
)
def test_options_that_mean_nothing_are_refused(options: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        BestOfN.model_validate(options)


replies = st.sampled_from(["eel", "trout", "Trout", "", "carp", "the carp, " * 60, "stone", "bad", "\x00", "سمكة 鱼"])
values = st.dictionaries(replies, st.floats() | st.sampled_from([1.0, 2.0]))


@given(st.lists(replies, min_size=6, max_size=6), st.lists(replies, max_size=2), values, st.integers(1, 7))
def test_every_answer_is_in_the_record_or_rejected_once(
    said: list[str], old: list[str], given_marks: dict[str, float], keep: int
) -> None:
    record = FISH.with_answers([Answer(text, "old") for text in old])
    options = BestOfN(n=3, rounds=2, keep=keep, reward=Given(marks=given_marks))
    items = run([record], saying(*said), options)
    gone = [i for i in items[:-1] if isinstance(i, Rejected) and not i.reason.startswith("no pair")]
    last = items[-1]
    kept = [] if isinstance(last, Rejected) else [a.text for a in last.answers]
    found = Counter(kept) + Counter(r.record.answers[0].text for r in gone)
    assert found == Counter(old) + Counter(text.strip() for text in said)
    assert len(gone) == len(items) - 1 - sum(i.reason.startswith("no pair") for i in items if isinstance(i, Rejected))
    if isinstance(last, Record):
        assert len(kept) <= keep
        ranks = [given_marks[text] for text in kept]
        assert all(map(math.isfinite, ranks))
        fallen = [r for r in gone if "comes after" in r.reason]
        assert all(given_marks[r.record.answers[0].text] <= min(ranks) for r in fallen)
        assert (NO_PAIR in last.meta) == (sorted(marks(last).values()) != [0.0, 1.0])
    else:
        assert last == Rejected(record, DICE.stage, f"none of {len(said) + len(old)} answers can be used")


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8), st.none() | st.integers(1, 9))
def test_highest_keeps_the_best_in_their_order(values: list[float], keep: int | None) -> None:
    scored = [Answer(f"answer {n}", scores={REWARD: value}) for n, value in enumerate(values)]
    kept, fallen = highest(FISH, scored, keep, "s")
    assert len(kept) == min(len(scored), keep or len(scored))
    assert len(kept) + len(fallen) == len(scored)
    assert kept == [a for a in scored if a in kept]
    best = sorted(values, reverse=True)[: len(kept)]
    assert sorted((a.scores[REWARD] for a in kept), reverse=True) == best


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


def test_without_samples_the_answers_it_brings_along_compete_alone() -> None:
    engine = saying()
    brought = FISH.with_answers([Answer("eel", "a"), Answer("trout", "b")])
    (made,) = run([brought], engine, BestOfN(n=0, reward=Longer()))
    assert isinstance(made, Record) and rewards(made) == {"eel": 3.0, "trout": 5.0}
    (gone,) = run([FISH], engine, BestOfN(n=0, reward=Longer()))
    assert isinstance(gone, Rejected) and gone.reason == "none of 0 answers can be used"
    assert engine.calls == []
