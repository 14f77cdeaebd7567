"""The pool: which tasks are examples, and what the novelty gate lets in."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Record, Rejected
from tuneworks.factory.rouge import ascii_tokens, rouge_l
from tuneworks.factory.self_instruct.pool import Gate, Pool, seed_tasks


def task(text: str, answer: str = "") -> Record:
    return Record.born(text, answers=[Answer(answer)] if answer else [], source="made", meta={"instruction": text})


SEEDS = [task(f"Name fish {n} of the sea.", "carp" * (n % 2)) for n in range(12)]
NEW = ["Sing songs about old trains now.", "Why does bread grow when warm?", "List four uses for red clay."]


def test_examples_are_of_both_kinds_once_there_are_made_ones() -> None:
    pool = Pool(SEEDS, "s", Gate())
    assert all(e in SEEDS for e in pool.examples(random.Random(1), 8, 2))
    made = [pool.judged(task(text)) for text in NEW]
    shown = pool.examples(random.Random(1), 8, 2)
    assert len([e for e in shown if e in made]) == 2 and len({e.id for e in shown}) == 8
    assert len([e for e in pool.examples(random.Random(1), 8, 0) if e in made]) == 0
    assert len(pool.examples(random.Random(1), 50, 3)) == 15


def test_only_seeds_with_an_answer_may_be_asked_for() -> None:
    pool = Pool(SEEDS, "s", Gate(), answered=True)
    assert all(e.answers for e in pool.examples(random.Random(1), 8, 0))
    assert isinstance(pool.judged(task("Name fish 0 of the sea.")), Rejected), "the others count for what is new"


def test_at_exactly_the_limit_a_task_is_kept() -> None:
    old, new = "a b c d e f g h i j", "a b c d e f g x y z"
    assert rouge_l(ascii_tokens(old), ascii_tokens(new)) == 0.7
    pool = Pool([task(old)], "s", Gate(0.7, (), ascii_tokens))
    kept = pool.judged(task(new))
    assert isinstance(kept, Record) and (kept.meta["nearest"], kept.meta["nearest_score"]) == (old, 0.7)
    over = pool.judged(task("a b c d e f g x y j"))
    assert isinstance(over, Rejected) and over.reason == f'ROUGE-L 0.900 with "{new}", over 0.7'
    assert over.record.meta["nearest"] == new


def test_what_a_task_is_judged_by_is_its_instruction() -> None:
    record = Record.born("2, 3\n\nAdd these two numbers.", meta={"instruction": "Add these two numbers."})
    kept = Pool(SEEDS, "s", Gate()).judged(record)
    assert isinstance(kept, Record) and kept.id == record.id and kept.prompt == record.prompt


@given(st.lists(st.text(st.sampled_from("ab 鱼é"), max_size=12), max_size=12), st.sampled_from([0.3, 0.7, 1.0]))
def test_kept_tasks_are_all_new(texts: list[str], limit: float) -> None:
    pool = Pool([task("a b")], "s", Gate(limit, (), ascii_tokens))
    items = [pool.judged(task(text)) for text in texts]
    assert [i for i in items if isinstance(i, Record)] == pool.made
    known = [ascii_tokens("a b"), *(ascii_tokens(r.prompt_text) for r in pool.made)]
    for at, tokens in enumerate(known[1:], 1):
        nearest = max(rouge_l(tokens, earlier) for earlier in known[:at])
        assert nearest <= limit and pool.made[at - 1].meta["nearest_score"] == nearest


def test_records_that_are_no_seeds() -> None:
    with pytest.raises(InputError, match="one_call got 1 records and none is a task"):
        seed_tasks([Record.born("A fish?")], "one_call")
    (seed,) = seed_tasks([task("Name a fish."), Record.born("A fish?")], "one_call")
    assert (seed.meta["input"], seed.meta["is_classification"]) == ("", False)
