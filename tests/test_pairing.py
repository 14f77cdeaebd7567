"""Which two steps are the preference: the chosen answer is the best, and equal texts are no pair."""

from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.constitutional.pairing import paired
from tuneworks.factory.pair_rules import NO_PAIR, folded
from tuneworks.factory.record import PAIR, PREFERRED, REWARD, Answer, Record, best_answer


def steps(*texts: str) -> Record:
    return Record.born("How?", answers=[Answer(text) for text in texts])


def why(record: Record) -> object:
    return record.meta.get(NO_PAIR)


def test_a_step_between_can_be_chosen() -> None:
    made = paired(steps("a", "b", "c"), 1, 0)
    assert why(made) is None
    assert [(a.scores["step"], a.scores[REWARD], a.scores.get(PAIR)) for a in made.answers] == [
        (0, 0, 0),
        (1, 3, 1),
        (2, 2, None),
    ]


def test_negative_steps_count_from_the_last() -> None:
    made = paired(steps("a", "b", "c"), -1, -2)
    assert [a.scores.get(PAIR) for a in made.answers] == [None, 0, 1]


def test_why_there_is_no_pair() -> None:
    assert why(paired(steps("a", "b", " A"), 2, 0)) == "the answers of steps 2 and 0 are the same text"
    assert why(paired(steps("a", "b"), 2, 0)) == "the record ends at step 1, before the chosen one"
    assert why(paired(steps("a", "b"), -1, 3)) == "the record ends at step 1, before the rejected one"
    assert why(paired(steps("a", "b"), -1, 1)) == "the chosen and the rejected answer are both step 1"


def test_what_an_earlier_picking_said_is_gone() -> None:
    old = Answer("a", scores={PAIR: 1, PREFERRED: 0.7, REWARD: 9, "clear": 2})
    record = Record.born("How?", answers=[old, Answer("b")], meta={NO_PAIR: "before"})
    made = paired(record, -1, 0)
    assert NO_PAIR not in made.meta
    assert made.answers[0].scores == {PAIR: 0, REWARD: 0, "clear": 2, "step": 0}


texts = st.lists(st.sampled_from(["a", "a ", "A", "b", "c\n", "c", "d e", "d  e"]), min_size=1, max_size=6)


@given(texts, st.integers(-6, 6), st.integers(-6, 6))
def test_the_chosen_is_best_equal_texts_are_equal_and_nothing_is_lost(said: list[str], chosen: int, bad: int) -> None:
    made = paired(steps(*said), chosen, bad)
    assert [a.text for a in made.answers] == said
    assert [a.scores["step"] for a in made.answers] == list(range(len(said)))
    rewards = {(folded(a.text), a.scores[REWARD]) for a in made.answers}
    assert len(rewards) == len({text for text, _ in rewards}) == len({reward for _, reward in rewards})
    best = best_answer(made)
    assert best is not None
    marked = {a.scores[PAIR]: a for a in made.answers if PAIR in a.scores}
    assert set(marked) == (set() if NO_PAIR in made.meta else {0.0, 1.0})
    if marked:
        assert folded(best.text) == folded(marked[1.0].text) == folded(said[chosen])
        assert folded(marked[0.0].text) == folded(said[bad]) != folded(best.text)
        assert marked[1.0].scores[REWARD] > marked[0.0].scores[REWARD]
