"""Soft labels from a model's comparisons: what is sampled, asked, kept and set aside."""

import asyncio
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError, RecipeError
from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Message, Record, Rejected, fingerprint
from tuneworks.factory.rlaif import Rlaif
from tuneworks.factory.rlaif.labelling import POSITION_BIAS, PRINCIPLES, mean_preferred
from tuneworks.factory.rlaif.principles import ENGLISH

DICE = Dice(3, "made.rlaif")
EEL, NEWT, STONE = Answer("eel", by="me"), Answer("newt", by="you"), Answer("stone")
FISH = Record.born("Name a fish.", answers=[EEL, NEWT])
WORTH = {"eel": 3.0, "newt": 1.0, "stone": -2.0, "trout": 2.0, "鲤鱼": 2.0, "carp": 0.0}


def run(records: Sequence[Record], engine: Engine, options: Rlaif) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        return [item async for item in options.generate(records, engine, DICE)]

    return asyncio.run(collect())


def worths(request: Request) -> list[float]:
    """Of the two answers, in the order they are shown."""
    text = request.messages[0].content
    shown = re.findall(r"^(?:Answer [AB]: |回答[AB]：)(.+)$", text, flags=re.MULTILINE)
    return [WORTH[name] for name in shown]


def knowing(*samples: str, lean: float = 0.0) -> Scripted:
    """Says `samples` in turn, prefers what is worth more, and leans to the place shown first."""
    left = list(samples)

    def reply(request: Request) -> str | Completion:
        if not request.candidates:
            return left.pop(0)
        first, second = worths(request)
        return Completion("", log_probs={"A": first + lean, "B": second})

    return Scripted(reply)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_the_label_is_soft_and_kept_on_both_answers() -> None:
    (made,) = run([FISH], knowing(), Rlaif())
    assert isinstance(made, Record) and made.id == FISH.id
    p = sigmoid(2)
    assert (made.answers[0].text, made.answers[0].by) == ("eel", "me")
    assert made.answers[0].scores == {REWARD: pytest.approx(p), PREFERRED: pytest.approx(p)}
    assert made.answers[1].scores == {REWARD: pytest.approx(1 - p), PREFERRED: pytest.approx(1 - p)}
    assert made.meta[POSITION_BIAS] == 0.0


def test_the_leaning_to_a_place_is_kept_and_averaged_away() -> None:
    (made,) = run([FISH], knowing(lean=1.5), Rlaif())
    assert isinstance(made, Record)
    assert made.answers[0].scores[REWARD] == pytest.approx((sigmoid(3.5) + sigmoid(0.5)) / 2)
    assert made.meta[POSITION_BIAS] == pytest.approx(sigmoid(3.5) - sigmoid(0.5), abs=1e-6)


@pytest.mark.parametrize(("has", "samples"), [([], ["trout", "carp"]), ([EEL], ["carp"]), ([EEL, NEWT], [])])
def test_what_is_missing_is_sampled(has: list[Answer], samples: list[str]) -> None:
    engine = knowing(*samples)
    (made,) = run([FISH.with_answers(has)], engine, Rlaif(principles=1))
    assert isinstance(made, Record)
    assert [a.text for a in made.answers] == [a.text for a in has] + samples
    assert sum(not c.candidates for c in engine.calls) == len(samples)
    assert made.answers[0].scores[REWARD] > 0.5 > made.answers[1].scores[REWARD]


def test_of_many_answers_each_pair_is_compared() -> None:
    engine = knowing("carp")
    (made,) = run([FISH.with_answers([EEL, NEWT, STONE])], engine, Rlaif(n=4, principles=2))
    assert isinstance(made, Record)
    assert sum(bool(c.candidates) for c in engine.calls) == 6 * 2 * 2 == Rlaif(n=4, principles=2).calls(1) - 4
    rewards = {a.text: a.scores[REWARD] for a in made.answers}
    assert rewards["eel"] == pytest.approx((sigmoid(2) + sigmoid(5) + sigmoid(3)) / 3)
    assert sorted(rewards, key=lambda name: -rewards[name]) == ["eel", "newt", "carp", "stone"]
    assert not any(PREFERRED in a.scores for a in made.answers)


preferred = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(preferred)
def test_mean_preferred(p: list[float]) -> None:
    rewards = mean_preferred(3, dict(zip([(0, 1), (0, 2), (1, 2)], p, strict=True)))
    assert sum(rewards) == pytest.approx(1.5)
    assert rewards == pytest.approx([(p[0] + p[1]) / 2, (1 - p[0] + p[2]) / 2, (2 - p[1] - p[2]) / 2])
    assert all(-1e-12 <= r <= 1 + 1e-12 for r in rewards)


def test_a_tie_is_no_pair_and_is_said_why() -> None:
    (gone,) = run([FISH], Scripted(lambda _: Completion("", log_probs={"A": -0.1, "B": -2.0})), Rlaif())
    assert isinstance(gone, Rejected)
    assert gone.part == "record" and [a.text for a in gone.record.answers] == ["eel", "newt"]
    assert gone.reason.startswith("the model prefers none of its 2 answers: each has 0.5 (the two orders are 0.7")


def test_answers_that_cannot_be_used_go_and_one_alone_is_no_pair() -> None:
    *aside, gone = run([Record.born("Name a fish.", answers=[EEL])], knowing("EEL "), Rlaif())
    assert [(a.reason, a.part) for a in aside if isinstance(a, Rejected)] == [("the same as another answer", "answer")]
    assert isinstance(gone, Rejected)
    assert (gone.reason, gone.part) == ("1 of its 2 answers can be used, and a comparison needs 2", "record")


def test_an_engine_without_log_probabilities() -> None:
    (gone,) = run([FISH], Scripted(lambda _: "A)"), Rlaif())
    assert isinstance(gone, Rejected)
    assert gone.reason.startswith("its answers cannot be compared: neither A nor B has any probability; ")
    assert "such as vLLM" in gone.reason


def test_an_engine_that_fails_and_one_that_is_gone() -> None:
    def refuse(error: EngineError) -> Scripted:
        def reply(_: Request) -> str:
            raise error

        return Scripted(reply)

    other = Record.born("Name a bird.", answers=[EEL, NEWT])
    items = run([FISH, other], refuse(EngineError("too long")), Rlaif())
    assert [i.reason for i in items if isinstance(i, Rejected)] == ["its answers cannot be compared: too long"] * 2
    with pytest.raises(EngineUnavailable, match="no server"):
        run([FISH], refuse(EngineUnavailable("no server")), Rlaif())


def test_principles_are_drawn_for_each_pair_by_the_dice() -> None:
    records = [Record.born(f"Name fish {n}.", answers=[EEL, NEWT]) for n in range(30)]
    engine = knowing()
    made = run(records, engine, Rlaif(principles=3))
    drawn = [str(r.meta[PRINCIPLES]) for r in made if isinstance(r, Record)]
    assert len(set(drawn)) > 20
    assert {len(set(d.split())) for d in drawn} == {3}
    shown = {p for p in ENGLISH for c in engine.calls if p in c.messages[0].content}
    assert shown == {ENGLISH[int(number) - 1] for d in drawn for number in d.split()}
    assert run(records, knowing(), Rlaif(principles=3)) == made
    assert run(records[::-1], knowing(), Rlaif(principles=3))[::-1] == made


def test_the_result_does_not_hang_on_which_reply_came_first() -> None:
    class Slow(Scripted):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(len(self.calls) % 7 / 2000)
            return await super().complete(request)

    def reply(request: Request) -> str | Completion:
        if request.candidates:
            return Completion(
                "", log_probs={"A": -float(int(fingerprint(request.messages[0].content), 16) % 19), "B": -9.0}
            )
        return "" if request.seed % 4 == 0 else f"fish {request.seed % 5}"

    records = [Record.born(f"Name fish number {n}.") for n in range(12)]
    assert run(records, Slow(reply), Rlaif(n=3)) == run(records, Scripted(reply), Rlaif(n=3))


def test_chinese_is_asked_in_chinese() -> None:
    engine = knowing("鲤鱼")
    (made,) = run([Record.born("说出一种鱼。", answers=[EEL])], engine, Rlaif(principles=1))
    assert isinstance(made, Record)
    asked = next(c for c in engine.calls if c.candidates)
    assert "哪个回答" in asked.messages[0].content and "Which" not in asked.messages[0].content


def test_a_conversation_is_shown_with_its_speakers() -> None:
    turns = [
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hi"),
        Message("user", "Fish?"),
    ]
    engine = knowing()
    run([Record.born(turns, answers=[EEL, NEWT])], engine, Rlaif(principles=1))
    assert "System: Be brief.\n\nUser: Hello\n\nAssistant: Hi\n\nUser: Fish?" in engine.calls[0].messages[0].content


def test_marks_of_an_earlier_picking_are_gone() -> None:
    old = [Answer("eel", scores={PAIR: 0.0, REWARD: -7.0, "judge": 2.0}), Answer("newt", scores={PAIR: 1.0})]
    (made,) = run([Record.born("Name a fish.", answers=old, meta={NO_PAIR: "a tie"})], knowing(), Rlaif())
    assert isinstance(made, Record)
    assert set(made.answers[0].scores) == {REWARD, PREFERRED, "judge"} and made.answers[0].scores[REWARD] > 0.5
    assert set(made.answers[1].scores) == {REWARD, PREFERRED} and NO_PAIR not in made.meta


def thinking(request: Request) -> str | Completion:
    if not request.candidates:
        return "An eel swims."
    first, second = worths(request)
    return Completion("", log_probs={"A": 9.0 if first > second else -9.0, "B": 0.0})


@pytest.mark.parametrize(
    ("options", "p"),
    [({}, 1.0), ({"reasoning": True}, 0.6), ({"reasoning": True, "clamp": (0, 1)}, 1.0), ({"clamp": (0.2, 0.8)}, 0.8)],
)
def test_labels_after_reasoning_are_held_near_a_half(options: dict[str, object], p: float) -> None:
    (made,) = run([FISH], Scripted(thinking), Rlaif.model_validate(options))
    assert isinstance(made, Record)
    assert made.answers[0].scores[PREFERRED] == pytest.approx(p, abs=1e-3)


@pytest.mark.parametrize("clamp", [(0.6, 0.4), (0.5, 0.6), (-0.1, 0.6), (0.1, 0.4), (0.4, 1.1)])
def test_a_clamp_has_a_half_between(clamp: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="with a half between them, such as"):
        Rlaif(clamp=clamp)


def test_the_paper_draws_one_principle() -> None:
    paper = Rlaif.model_validate({"preset": "paper"})
    assert (paper.principles, paper.n, paper.temperature, paper.reasoning) == (1, 2, 1.0, False)


def test_what_is_wrong_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("- Which answer is kinder?\n")
    Rlaif(file=str(file), principles=1).check()
    with pytest.raises(RecipeError, match=r"draws 2 principles for a pair and .*mine.yaml holds 1; lower principles"):
        Rlaif(file=str(file), principles=2).check()
    with pytest.raises(RecipeError, match="draws 21 principles for a pair and our list holds 20"):
        Rlaif(principles=21).check()
    with pytest.raises(InputError, match="cannot be read"):
        Rlaif(prompts=str(tmp_path / "nowhere.yaml")).check()
    assert Rlaif(file="a", prompts="b").reads() == ("a", "b")
    assert Rlaif().reads() == ()
