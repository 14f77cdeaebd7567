"""Which two of a record's scored answers become a preference, or why none do."""

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.pair_rules import NO_PAIR, PairRule, PairRules, folded, paired, pick, unmarked
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Record, Rejected

DICE = Dice(5, "made.best_of_n")
RULES: tuple[PairRule, ...] = ("best_worst", "best_random", "best_second")
FISH = [("eel", 2.0), ("trout", 5.0), ("stone", 0.0), ("carp", 4.0), ("weed", 0.0)]


def scored(answers: Sequence[tuple[str, float]]) -> list[Answer]:
    return [Answer(text, "toy", {REWARD: reward}) for text, reward in answers]


def texts_of(found: tuple[Answer, Answer] | str) -> tuple[str, str]:
    assert not isinstance(found, str)
    return found[0].text, found[1].text


@pytest.mark.parametrize(("rule", "rejected"), [("best_worst", "stone"), ("best_second", "carp")])
def test_the_rule_says_which_answer_below_the_best_is_rejected(rule: PairRule, rejected: str) -> None:
    assert texts_of(pick(scored(FISH), PairRules(rule), Random(0))) == ("trout", rejected)


def test_a_random_partner_is_any_answer_below_the_best() -> None:
    answers = scored([*FISH, ("pike", 5.0)])
    found = [texts_of(pick(answers, PairRules("best_random"), Random(seed))) for seed in range(60)]
    assert {chosen for chosen, _ in found} == {"trout"}
    assert {rejected for _, rejected in found} == {"eel", "stone", "carp", "weed"}


def test_the_next_lower_answer_is_strictly_lower() -> None:
    answers = scored([("trout", 5.0), ("pike", 5.0), ("carp", 4.0), ("eel", 3.0)])
    assert texts_of(pick(answers, PairRules("best_second"), Random(0))) == ("trout", "carp")


def test_a_length_penalty_picks_the_shorter_of_two_that_are_nearly_as_good() -> None:
    answers = scored([("a carp, a fish of the river", 5.0), ("carp", 4.9), ("a stone is a stone is a stone", 1.0)])
    assert texts_of(pick(answers, PairRules(), Random(0)))[0] == "a carp, a fish of the river"
    assert texts_of(pick(answers, PairRules(length_penalty=0.1), Random(0))) == ("carp", answers[2].text)


def test_a_long_answer_with_a_higher_reward_is_not_rejected_for_its_length() -> None:
    """The penalised order alone would make the answer with 5 points the rejected one, at a margin below zero."""
    answers = scored([("x" * 400, 5.0), ("carp", 4.0), ("weed", 1.0)])
    assert texts_of(pick(answers, PairRules(length_penalty=0.01), Random(0))) == ("carp", "weed")


def test_of_equals_under_the_penalty_the_higher_reward_is_chosen_and_neither_is_rejected_for_the_other() -> None:
    answers = scored([("xx", 2.0), ("xxx", 3.0), ("xxxxx", 2.5)])
    assert texts_of(pick(answers, PairRules(length_penalty=1.0), Random(0))) == ("xxx", "xxxxx")
    assert isinstance(pick(answers[:2], PairRules(length_penalty=1.0), Random(0)), str)


def test_a_margin_at_the_limit_is_enough() -> None:
    answers = scored([("trout", 5.0), ("eel", 3.0)])
    assert texts_of(pick(answers, PairRules(min_margin=2.0), Random(0))) == ("trout", "eel")


@pytest.mark.parametrize(
    ("answers", "rules", "reason"),
    [
        ([], PairRules(), "0 of its answers carry a reward, and a pair needs 2"),
        ([("eel", 1.0)], PairRules(), "1 of its answers carry a reward, and a pair needs 2"),
        ([("eel", 1.0), ("carp", math.nan)], PairRules(), "1 of its answers carry a reward, and a pair needs 2"),
        ([("eel", 3.0), ("carp", 3.0), ("cod", 3.0)], PairRules(), "its 3 rewards are all 3, a tie"),
        ([("an eel", 3.0), ("An  EEL\n", 1.0)], PairRules(), "no other text has a reward below 3, that of the best"),
        ([("eel", 3.0), ("carp", 2.9)], PairRules(min_margin=0.5), "the margin of 0.1 is under 0.5"),
        (
            [("x" * 400, 5.0), ("carp", 4.0)],
            PairRules(length_penalty=0.01),
            "no other text is below the best, of reward 4, both with and without the length penalty of 0.01",
        ),
    ],
)
def test_why_there_is_no_pair(answers: list[tuple[str, float]], rules: PairRules, reason: str) -> None:
    assert pick(scored(answers), rules, Random(0)) == reason


def test_a_pair_is_marked_on_the_answers() -> None:
    (made,) = paired(Record.born("A fish?", answers=scored(FISH)), PairRules(), DICE)
    assert isinstance(made, Record)
    assert {a.text: a.scores.get(PAIR) for a in made.answers} == {
        **dict.fromkeys(["eel", "carp", "weed"]),
        "trout": 1.0,
        "stone": 0.0,
    }


def test_a_record_without_a_pair_says_why_beside_the_answer_that_found_no_partner() -> None:
    record = Record.born("A fish?", answers=scored([("eel", 3.0), ("carp", 3.0)]))
    aside, made = paired(record, PairRules(), DICE)
    assert isinstance(aside, Rejected) and isinstance(made, Record)
    assert (aside.reason, aside.part, aside.stage) == (
        "no pair: its 2 rewards are all 3, a tie",
        "answer",
        DICE.stage,
    )
    assert [a.text for a in aside.record.answers] == ["eel"]
    assert made.answers == record.answers
    assert made.meta[NO_PAIR] == "its 2 rewards are all 3, a tie"


def test_a_new_picking_forgets_the_one_before() -> None:
    old = [
        Answer("eel", scores={REWARD: 1.0, PAIR: 1.0, PREFERRED: 0.9, "round": 1.0}),
        Answer("carp", scores={REWARD: 2.0, PAIR: 0.0}),
    ]
    record = Record.born("A fish?", answers=old, meta={NO_PAIR: "a tie", "row": 3})
    (made,) = paired(record, PairRules(), DICE)
    assert isinstance(made, Record)
    assert [dict(a.scores) for a in made.answers] == [
        {REWARD: 1.0, PAIR: 0.0, "round": 1.0},
        {REWARD: 2.0, PAIR: 1.0},
    ]
    assert made.meta == {"row": 3}


def test_the_random_partner_hangs_on_the_record_and_the_seed() -> None:
    records = [Record.born(f"Fish {n}?", answers=scored(FISH)) for n in range(40)]

    def rejected(dice: Dice) -> list[str]:
        made = [paired(r, PairRules("best_random"), dice)[-1] for r in records]
        return [a.text for r in made if isinstance(r, Record) for a in r.answers if a.scores.get(PAIR) == 0]

    assert rejected(DICE) == rejected(DICE)
    assert rejected(DICE) != rejected(Dice(6, DICE.stage))
    assert set(rejected(DICE)) == {"eel", "stone", "carp", "weed"}


texts = st.sampled_from(["eel", "Eel ", "carp", "a  carp", "a carp", "", "x" * 50, "鲤鱼", "سمكة"]) | st.text(
    max_size=12
)
answers = st.lists(st.tuples(texts, st.floats() | st.sampled_from([0.0, 1.0, 1.0, 2.5])), max_size=7)
some_rules = st.builds(
    PairRules, st.sampled_from(RULES), st.sampled_from([0.0, 0.0, 0.01, 3.0]), st.sampled_from([0.0, 0.5])
)


@given(answers, some_rules, st.integers(0, 99))
@example([("eel", -0.0), ("carp", 0.0)], PairRules(), 0)
@example([("eel", 5e-324), ("carp", 0.0)], PairRules(), 0)
def test_a_pair_has_two_texts_and_a_margin_above_zero(made: list[tuple[str, float]], rules: PairRules, n: int) -> None:
    found = pick(scored(made), rules, Random(n))
    assert found == pick(scored(made), rules, Random(n))
    if isinstance(found, str):
        return
    chosen, rejected = found
    assert (chosen.text, chosen.scores[REWARD]) in made and (rejected.text, rejected.scores[REWARD]) in made
    assert chosen.scores[REWARD] > rejected.scores[REWARD]
    assert chosen.scores[REWARD] - rejected.scores[REWARD] >= rules.min_margin
    assert rules.worth(chosen) > rules.worth(rejected)
    assert rules.worth(chosen) == max(rules.worth(a) for a in scored(made) if math.isfinite(a.scores[REWARD]))
    assert folded(chosen.text) != folded(rejected.text)


@given(answers)
def test_without_a_penalty_there_is_a_pair_whenever_a_second_text_is_lower(made: list[tuple[str, float]]) -> None:
    finite = [(text, reward) for text, reward in made if math.isfinite(reward)]
    best = max(finite, key=lambda answer: answer[1], default=("", 0.0))
    lower = [a for a in finite if a[1] < best[1] and folded(a[0]) != folded(best[0])]
    for rule in RULES:
        assert isinstance(pick(scored(made), PairRules(rule), Random(0)), str) == (not lower)


@given(answers, some_rules)
def test_a_picking_loses_no_answer_and_marks_two_or_says_why(made: list[tuple[str, float]], rules: PairRules) -> None:
    record = Record.born("A fish?", answers=scored(made))
    *aside, kept = paired(record, rules, DICE)
    assert isinstance(kept, Record)
    assert repr(unmarked(kept)) == repr(record)  # by their words, for a reward may be not a number
    marks = sorted(a.scores[PAIR] for a in kept.answers if PAIR in a.scores)
    assert marks == ([] if aside else [0.0, 1.0])
    assert (NO_PAIR in kept.meta) == bool(aside) == (len(aside) == 1)
