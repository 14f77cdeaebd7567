"""Splits by group: nothing in the test side is given away by the train side."""

import random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.pipelines.dataset.sides import SIDES, groups, shown, sides

WORDS = [*("river", "stone", "bread", "candle", "winter", "garden"), *("letter", "bridge", "copper", "violin")]


def texts(count: int) -> list[str]:
    rng = random.Random(0)
    return [f"Explain {' '.join(rng.choices(WORDS, k=12))}." for _ in range(count)]


def drawn(records: list[Record], share: float = 0.2, seed: int = 0, validation: float = 0.0) -> list[set[str]]:
    """The ids that are trained on, tested on, and used for validation; none is on two sides."""
    table, shares = to_table(records), {"test": share, "validation": validation}
    side = sides(table.lazy(), shares, Dice(seed, "holdout"))
    assert len(side) == len(records) and side.null_count() == 0
    return [set(table["id"].filter(side == name)) for name in ("train", "test", "validation")]


def grouped(records: list[Record]) -> list[list[int]]:
    return [group.tolist() for group in groups(to_table(records).lazy())]


def together(records: list[Record], *places: int) -> bool:
    return any(set(places) <= set(group) for group in grouped(records))


def test_about_the_share_is_tested_on_and_the_seed_draws_it() -> None:
    records = [Record.born(text) for text in texts(100)]
    ways = [drawn(records, seed=seed)[1] for seed in (0, 0, 1)]
    assert len(ways[0]) == 20 and ways[0] == ways[1] != ways[2]
    assert drawn(records, share=0.0)[1] == set()


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
        train, test, _ = drawn([Record.born(text) for text in texts(count)], share=0.95)
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
    assert drawn([*family, alone]) == [{r.id for r in family}, {alone.id}, set()]
    assert drawn(family)[1] == set()
    assert drawn([])[1] == set()


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
    sides_of = drawn(records, share, validation=0.05)
    for group in grouped(records):
        ids = {records[at].id for at in group}
        assert any(ids <= side for side in sides_of)


def test_a_validation_side_leaves_the_test_side_as_it_is() -> None:
    records = [Record.born(text) for text in texts(100)]
    train, test, validation = drawn(records, share=0.1, validation=0.2)
    assert (len(train), len(test), len(validation)) == (70, 10, 20) and test == drawn(records, share=0.1)[1]
    few = drawn(records[:3], share=0.4, validation=0.4)
    assert [len(side) for side in few] == [1, 1, 1]


def test_a_prompt_that_shows_a_held_out_record_is_not_trained_on() -> None:
    records = [Record.born(text) for text in texts(40)]
    test = drawn(records)[1]
    at = next(n for n, record in enumerate(records) if record.id in test)
    names = {"shows": records[at].id, "parent": "0" * 16, "harmless": records[at - 1].id}
    asked = {
        n: Record.born(f"{n} {texts(50)[-i]}", meta={"examples": f"x {v}"}) for i, (n, v) in enumerate(names.items(), 1)
    }
    held = Record.born(f"Other words than any {texts(60)[-1]}", parents=(names["parent"],))
    table = to_table([*records, *asked.values(), held])
    side = pl.Series("side", ["test" if i in (records[at].id, held.id) else "train" for i in table["id"]], dtype=SIDES)
    left_out = {table["id"][place] for place in shown(table.lazy(), table["id"], side)}
    assert left_out == {asked["shows"].id, asked["parent"].id}


def test_a_copy_is_trained_on_but_not_held_out_again() -> None:
    records = [Record.born(text) for text in texts(40)]
    copies = [Record.born(f"{r.prompt_text} ", parents=(r.id,), meta={"copy": 2}) for r in records]
    train, test, _ = drawn([*records, *copies])
    assert test and not test & {copy.id for copy in copies}
    assert {copy.id for copy, record in zip(copies, records, strict=True) if record.id in train} <= train
