"""Views of records as training rows."""

import math
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.pair_rules import NO_PAIR
from tuneworks.factory.record import PAIR, PREFERRED, Answer, Message, Record
from tuneworks.trainers.rows import (
    CONTROLS,
    PREFERENCE,
    QUALITY,
    SFT,
    VIEWS,
    Levels,
    controlled,
    preference_reason,
    preference_rows,
    quality_reason,
    quality_rows,
    sft_reason,
    sft_rows,
    uncontrolled,
)


def record(*answers: tuple[str, float | None], prompt: Sequence[Message] | str = "Name a fish.") -> Record:
    made = [Answer(text, "toy", {} if reward is None else {"reward": reward}) for text, reward in answers]
    return Record.born(prompt, answers=made, source="toy")


def steered(*answers: tuple[str, float | None], prompt: Sequence[Message] | str = "Name a fish.") -> Record:
    """The same, with a source for which the hash of the id leaves the control in."""
    made = [Answer(text, "toy", {} if reward is None else {"reward": reward}) for text, reward in answers]
    found = (Record.born(prompt, answers=made, source=f"toy {n}") for n in range(100))
    return next(r for r in found if not uncontrolled(r))


def said(turns: list[dict[str, str]]) -> str:
    assert [turn["role"] for turn in turns] == ["assistant"]
    return turns[0]["content"]


def test_sft_takes_the_highest_reward() -> None:
    (row,) = sft_rows([record(("carp", 0.1), ("trout", 0.9), ("eel", 0.5))])
    assert said(row["completion"]) == "trout"
    assert row["prompt"] == [{"role": "user", "content": "Name a fish."}]


def test_sft_takes_the_first_of_equals() -> None:
    (row,) = sft_rows([record(("carp", 1.0), ("trout", 1.0))])
    assert said(row["completion"]) == "carp"


def test_sft_takes_the_first_answer_when_nothing_is_scored() -> None:
    (row,) = sft_rows([record(("carp", None), ("trout", None))])
    assert said(row["completion"]) == "carp"


def test_sft_prefers_any_scored_answer_to_an_unscored_one() -> None:
    (row,) = sft_rows([record(("carp", None), ("trout", -9.0), ("eel", math.nan))])
    assert said(row["completion"]) == "trout"


def test_sft_keeps_other_scores_out_of_it() -> None:
    made = [Answer("carp", scores={"length": 9.0}), Answer("trout", scores={"reward": 0.1})]
    (row,) = sft_rows([Record.born("Name a fish.", answers=made)])
    assert said(row["completion"]) == "trout"


def test_every_row_carries_its_record() -> None:
    made = steered(("carp", 1.0), ("stone", 0.0))
    made = replace(made, answers=tuple(replace(a, scores={**a.scores, "step 1": 1.0}) for a in made.answers))
    for view in VIEWS.values():
        assert {row["id"] for row in view.rows([made])} == {made.id}


def test_the_whole_conversation_is_the_prompt() -> None:
    talk = [
        Message("system", "Be short."),
        Message("user", "A fish?"),
        Message("assistant", "Carp."),
        Message("user", "Another?"),
    ]
    (row,) = sft_rows([record(("Eel.", 1.0), prompt=talk)])
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user", "assistant", "user"]


def test_preference_sets_best_against_worst() -> None:
    (row,) = preference_rows([record(("eel", 0.5), ("trout", 0.9), ("stone", 0.1))])
    assert (said(row["chosen"]), said(row["rejected"])) == ("trout", "stone")
    assert row["margin"] == pytest.approx(0.8)


def test_preference_ignores_answers_without_reward() -> None:
    made = record(("eel", None), ("trout", 0.9), ("  ", 0.0))
    assert list(preference_rows([made])) == []
    assert preference_reason(made) == "1 of its answers carry a reward, and a pair needs 2"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((("eel", 0.5), ("trout", 0.5)), "its 2 rewards are all 0.5, a tie"),
        ((("an eel", 0.5), (" an \n eel ", 0.1)), "its best and its worst answer are the same text"),
        ((), "0 of its answers carry a reward, and a pair needs 2"),
    ],
)
def test_no_pair(answers: tuple[tuple[str, float], ...], reason: str) -> None:
    assert list(preference_rows([record(*answers)])) == []
    assert preference_reason(record(*answers)) == reason


def test_a_margin_that_is_too_small_gives_no_pair() -> None:
    made = record(("eel", 0.5), ("trout", 0.4))
    assert len(list(preference_rows([made], min_margin=0.05))) == 1
    assert list(preference_rows([made], min_margin=0.2)) == []
    assert preference_reason(made, 0.2) == "the margin of 0.1 is under 0.2"


def marked(*answers: tuple[str, dict[str, float]], **meta: str) -> Record:
    return Record.born("A fish?", answers=[Answer(text, "toy", scores) for text, scores in answers], meta=meta)


def test_a_picked_pair_is_the_preference_whatever_the_rewards_say() -> None:
    made = marked(
        ("trout", {"reward": 9.0}),
        ("eel", {"reward": 2.0, PAIR: 1.0, PREFERRED: 0.8}),
        ("carp", {"reward": 3.5, PAIR: 0.0, PREFERRED: 0.2}),
        ("stone", {"reward": 0.0}),
    )
    (row,) = preference_rows([made])
    assert (said(row["chosen"]), said(row["rejected"])) == ("eel", "carp")
    assert (row["margin"], row["probability"]) == (-1.5, 0.8)
    assert preference_reason(made) is None
    assert preference_reason(made, 0.1) == "the margin of -1.5 is under 0.1"


@pytest.mark.parametrize("reward", [{}, {"reward": math.nan}, {"reward": math.inf}])
def test_a_picked_pair_needs_no_reward(reward: dict[str, float]) -> None:
    (row,) = preference_rows([marked(("eel", {"reward": 1.0, PAIR: 1.0}), ("carp", {PAIR: 0.0, **reward}))], 0.5)
    assert (row["margin"], row["probability"]) == (None, None)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            (("eel", {"reward": 2.0, PAIR: 1.0}), ("carp", {"reward": 1.0})),
            "1 chosen and 0 rejected answers are left of its pair, which needs 1 of each",
        ),
        (
            (("eel", {PAIR: 1.0}), (" ", {PAIR: 0.0})),
            "1 chosen and 0 rejected answers are left of its pair, which needs 1 of each",
        ),
        ((("eel", {PAIR: 1.0}), ("eel\n", {PAIR: 0.0})), "its chosen and its rejected answer are the same text"),
    ],
)
def test_half_a_picked_pair_is_not_filled_up_by_rewards(
    answers: tuple[tuple[str, dict[str, float]], ...], reason: str
) -> None:
    assert list(preference_rows([marked(*answers)])) == []
    assert preference_reason(marked(*answers)) == reason


def test_a_record_that_was_found_to_have_no_pair_gives_none_and_says_why() -> None:
    why = "the margin of 0.1 is under 0.5"
    made = marked(("eel", {"reward": 0.5}), ("carp", {"reward": 0.4}), **{NO_PAIR: why})
    assert list(preference_rows([made])) == []
    assert preference_reason(made) == why
    (row,) = preference_rows([marked(("eel", {PAIR: 1.0}), ("carp", {PAIR: 0.0}), **{NO_PAIR: why})])
    assert said(row["chosen"]) == "eel"


def test_quality_says_good_above_the_mean_and_bad_below() -> None:
    rows = list(quality_rows([steered(("trout", 0.9), ("eel", 0.6), ("weed", 0.3), ("stone", 0.0))]))
    assert [(said(row["completion"]), row["quality"]) for row in rows] == [
        ("trout", "good"),
        ("eel", "good"),
        ("weed", "bad"),
        ("stone", "bad"),
    ]
    for row in rows:
        assert row["prompt"][0] == {"role": "system", "content": CONTROLS["en"][row["quality"]]}
        assert row["prompt"][1:] == [{"role": "user", "content": "Name a fish."}]


def test_quality_leaves_out_an_answer_at_the_mean() -> None:
    rows = list(quality_rows([steered(("trout", 0.3), ("eel", 0.2), ("stone", 0.1))]))
    assert [said(row["completion"]) for row in rows] == ["trout", "stone"]


@pytest.mark.parametrize("reward", [0.0, 0.1, -7.3, 1e12])
def test_quality_gives_nothing_for_a_tie(reward: float) -> None:
    made = steered(("trout", reward), ("eel", reward), ("stone", reward))
    assert list(quality_rows([made])) == []
    assert quality_reason(made) == "its 3 rewards do not set one text above their mean and another below"


def test_quality_drops_a_text_that_is_called_good_and_bad() -> None:
    made = steered(("trout", 1.0), ("trout ", 0.0), ("eel", 1.0), ("stone", 0.0))
    assert [said(row["completion"]) for row in quality_rows([made])] == ["eel", "stone"]


def test_quality_says_a_repeated_text_once() -> None:
    made = steered(("trout", 1.0), ("trout", 0.9), ("stone", 0.0))
    assert [said(row["completion"]) for row in quality_rows([made])] == ["trout", "stone"]


def test_the_control_follows_a_system_message() -> None:
    talk = (Message("system", "Be short."), Message("user", "A fish?"))
    assert controlled(talk, CONTROLS["en"]["good"]) == (Message("system", "Be short.\nGive a good answer."), talk[1])


@pytest.mark.parametrize(
    ("asked", "control"),
    [
        ("说出一种鱼。", "给出差的回答。"),
        ("用 Python 写一个排序函数", "给出差的回答。"),
        ("Translate 你好 into English, please.", "Give a bad answer."),
        ("魚の名前を一つ教えて", "Give a bad answer."),
        ("12 + 30 = ?", "Give a bad answer."),
    ],
)
def test_the_control_speaks_the_prompts_language(asked: str, control: str) -> None:
    made = Record.born(asked, answers=[Answer("a", scores={"reward": 1.0}), Answer("b", scores={"reward": 0.0})])
    rows = quality_rows([made], Levels(uncontrolled=0))
    assert [row["control"] for row in rows if row["quality"] == "bad"] == [control]


def test_one_record_in_ten_keeps_its_prompt_and_only_good_answers() -> None:
    records = [record(("trout", 1.0), ("stone", 0.0), prompt=f"Name a fish, please, number {n}.") for n in range(2000)]
    rows = list(quality_rows(records))
    plain = [row for row in rows if row["quality"] == "none"]
    assert 150 < len(plain) < 250
    assert {said(row["completion"]) for row in plain} == {"trout"}
    assert all(len(row["prompt"]) == 1 for row in plain)
    assert len(rows) == 2 * (2000 - len(plain)) + len(plain)
    assert rows == list(quality_rows(records))


@pytest.mark.parametrize(
    "prompt",
    [
        [],
        [Message("system", "Be short.")],
        [Message("user", "A fish?"), Message("assistant", "Carp.")],
        [Message("user", " \n")],
    ],
)
def test_a_prompt_must_end_in_a_question(prompt: list[Message]) -> None:
    made = record(("carp", 1.0), ("stone", 0.0), prompt=prompt)
    for view in VIEWS.values():
        assert list(view.rows([made])) == []
        assert view.why_not(made) == "its prompt does not end in a user message with text"


def test_a_record_without_answers_says_so() -> None:
    assert list(sft_rows([record()])) == []
    assert sft_reason(record(("  ", 1.0))) == "it has no answer with text"


@pytest.mark.parametrize(("name", "schema"), [("sft", SFT), ("preference", PREFERENCE), ("quality", QUALITY)])
def test_rows_fit_their_schema(name: str, schema: pl.Schema) -> None:
    rows = list(VIEWS[name].rows([steered(("trout", 1.0), ("stone", 0.0))]))
    table = pl.DataFrame(rows, schema=VIEWS[name].schema)
    assert table.schema == schema
    assert table.rows(named=True) == rows
    assert pl.DataFrame([], schema=VIEWS[name].schema).height == 0


def test_rows_without_margin_or_probability_fit_their_schema() -> None:
    rows = list(preference_rows([marked(("eel", {PAIR: 1.0}), ("carp", {PAIR: 0.0}))]))
    table = pl.DataFrame(rows, schema=PREFERENCE)
    assert table.select("margin", "probability").rows() == [(None, None)]
    assert table.schema == PREFERENCE


rewards = st.none() | st.floats(allow_nan=True, allow_infinity=True)
answers = st.lists(st.tuples(st.sampled_from(["a", "b", " a", "c d", "", " "]), rewards), max_size=6)


@given(answers)
def test_a_view_gives_rows_exactly_when_it_has_no_reason_not_to(made: list[tuple[str, float | None]]) -> None:
    for view in VIEWS.values():
        rows = list(view.rows([record(*made)]))
        assert (view.why_not(record(*made)) is None) == bool(rows)


@given(answers)
def test_preference_margins_are_positive_and_texts_differ(made: list[tuple[str, float | None]]) -> None:
    for row in preference_rows([record(*made)]):
        assert row["margin"] > 0
        assert said(row["chosen"]).split() != said(row["rejected"]).split()


@given(answers)
def test_quality_rows_have_both_levels_and_no_text_twice(made: list[tuple[str, float | None]]) -> None:
    rows = list(quality_rows([record(*made)]))
    levels = {row["quality"] for row in rows}
    assert levels in (set(), {"good", "bad"}, {"none"})
    folded = [" ".join(said(row["completion"]).split()) for row in rows]
    assert len(set(folded)) == len(folded)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True))
def test_good_answers_score_above_bad_ones(scores: list[float]) -> None:
    made = steered(*((f"answer {n}", score) for n, score in enumerate(scores)))
    by_text = {answer.text: answer.scores["reward"] for answer in made.answers}
    rows = list(quality_rows([made]))
    good = [by_text[said(row["completion"])] for row in rows if row["quality"] == "good"]
    bad = [by_text[said(row["completion"])] for row in rows if row["quality"] == "bad"]
    assert all(high > low for high in good for low in bad)
    assert (max(scores) in good and min(scores) in bad) or not rows
