"""Splits by group: nothing in the test side is given away by the train side."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.pipelines.splits import grouped, split

WORDS = [*("river", "stone", "bread", "candle", "winter", "garden"), *("letter", "bridge", "copper", "violin")]


def texts(count: int) -> list[str]:
    rng = random.Random(0)
    return [f"Explain {' '.join(rng.choices(WORDS, k=12))}." for _ in range(count)]


def sides(records: list[Record], share: float = 0.2, seed: int = 0) -> tuple[set[str], set[str]]:
    train, test = (side for _, side in split(records, share, Dice(seed, "holdout")))
    assert [r.id for r in records if r in train] == [r.id for r in train]  # order stays
    assert len(train) + len(test) == len(records)
    return {r.id for r in train}, {r.id for r in test}


def together(records: list[Record], *places: int) -> bool:
    return any(set(places) <= set(group) for group in grouped(records))


def test_about_the_share_is_tested_on_and_the_seed_draws_it() -> None:
    records = [Record.born(text) for text in texts(100)]
    drawn = [sides(records, seed=seed)[1] for seed in (0, 0, 1)]
    assert len(drawn[0]) == 20 and drawn[0] == drawn[1] != drawn[2]
    assert sides(records, share=0.0)[1] == set()


def test_a_task_and_what_was_made_from_it_stay_together() -> None:
    task, other = map(Record.born, texts(2))
    harder = Record.born("Now in verse, with dates.", parents=(task.id,))
    hardest = Record.born("And in Latin too.", parents=(harder.id,))
    assert together([task, other, harder, hardest], 0, 2, 3) and not together([task, other], 0, 1)
    assert together([hardest, Record.born("Backwards.", parents=(harder.id,))], 0, 1)  # though their parent went


def test_examples_that_a_model_saw_are_no_relatives() -> None:
    shown = [Record.born(text) for text in texts(4)]
    made = Record.born("List five rivers.", parents=tuple(r.id for r in shown))
    assert len(grouped([*shown, made])) == 5


def test_near_duplicates_and_the_same_instruction_stay_together() -> None:
    long = texts(1)[0]
    near = Record.born(long.replace("Explain", "Please explain"))
    inputs = [Record.born(f"Translate.\n\n{word}", meta={"instruction": "Translate."}) for word in ("cat", "dog")]
    records = [Record.born(long), *inputs, near, Record.born(texts(2)[1])]
    assert together(records, 0, 3) and together(records, 1, 2) and len(grouped(records)) == 3


def test_the_same_text_stays_together_whatever_its_facts_say() -> None:
    text = "Translate.\n\ncat"
    told = Record.born(text, meta={"instruction": "Translate."})
    assert together([told, Record.born(text)], 0, 1)


def test_both_sides_have_a_group_however_large_the_share() -> None:
    for count in (2, 5, 9):
        train, test = sides([Record.born(text) for text in texts(count)], share=0.95)
        assert train and test


def test_conversations_are_compared_by_all_that_was_asked() -> None:
    asked, answered = Message("user", texts(1)[0]), Message("assistant", "Yes.")
    record = Record.born([asked, answered, Message("user", "Why?")])
    another = Record.born([asked, answered, Message("user", "Why not?")])
    assert together([record, another], 0, 1)


def test_one_large_group_leaves_the_small_ones_to_be_tested_on() -> None:
    root = Record.born("Begin.")
    family = [root, *(Record.born(text, parents=(root.id,)) for text in texts(30))]
    alone = Record.born("Something else entirely, about none of it.")
    assert sides([*family, alone]) == ({r.id for r in family}, {alone.id})
    assert sides(family)[1] == set()
    assert sides([])[1] == set()


def test_answers_do_not_matter_to_the_groups() -> None:
    one = [Record.born(text) for text in texts(20)]
    two = [r.with_answers([Answer("x")]) for r in one]
    assert grouped(one) == grouped(two)


@given(st.lists(st.tuples(st.sampled_from(texts(6)), st.integers(0, 9)), max_size=30), st.floats(0, 0.9))
def test_no_group_is_torn(rows: list[tuple[str, int]], share: float) -> None:
    records: list[Record] = []
    for text, parent in rows:
        parents = (records[parent].id,) if parent < len(records) else ()
        records.append(Record.born(text, parents=parents, source=str(len(records))))
    train, test = sides(records, share)
    for group in grouped(records):
        ids = {records[at].id for at in group}
        assert ids <= train or ids <= test
