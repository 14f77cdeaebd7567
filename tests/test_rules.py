"""The rules filter: which text each rule looks at, and that switching one off needs no new measuring."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory import wording
from tuneworks.factory.record import Answer, Message, Record, best_answer, to_table
from tuneworks.filters.rules import Rules
from tuneworks.filters.words import answered

REFUSAL = Answer("I'm sorry, but I can't help with that.")
LOOP = Answer("I like tea. " * 6)
GOOD = Answer("A river is water on its way to the sea.")
BROKEN = {
    "needs_attachment": Record.born("Describe this picture.", answers=[GOOD]),
    "asks_nothing": Record.born("The river is the best part of the city.", answers=[GOOD]),
    "refusal": Record.born("What is a river?", answers=[REFUSAL]),
    "self_reference": Record.born("What is a river?", answers=[Answer("As an AI, I see none.")]),
    "repetition": Record.born("What is a river?", answers=[LOOP]),
    "truncated": Record.born("What is a river?", answers=[Answer("It is water that flows,")]),
    "unbalanced_fences": Record.born("What is a river?", answers=[Answer("Run\n```sh\nls")]),
    "same_text": Record.born("What is a river?", answers=[Answer("What is a river?")]),
}


def reasons(rules: Rules, *records: Record) -> list[str | None]:
    return rules.reject(rules.measure(to_table(records))).to_list()


def test_every_option_is_a_rule_with_an_example() -> None:
    assert list(BROKEN) == list(Rules.model_fields)
    assert [name for name, field in Rules.model_fields.items() if not field.default] == ["asks_nothing"]


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_rejects_and_can_be_switched_off_without_measuring_again(name: str) -> None:
    table = to_table([BROKEN[name]])
    measures = Rules().measure(table)
    on, off = Rules(**{name: True}), Rules(**{name: False})
    assert [c for c in measures.columns if measures[c][0] is not None] == [name]
    assert off.reject(measures).to_list() == [None]
    what = "instruction" if name in ("needs_attachment", "asks_nothing") else "answer"
    assert on.reject(measures).to_list() == [f"the {what} {measures[name][0]}"]


def test_the_first_broken_rule_is_named() -> None:
    both = Record.born("Describe this picture.", answers=[REFUSAL])
    assert reasons(Rules(), both) == ['the instruction needs more than text at character 9: "this picture"']
    assert reasons(Rules(needs_attachment=False), both) == [
        "the answer refuses at character 0: \"i'm sorry, but i can't help\""
    ]


def test_the_fact_instruction_goes_before_the_prompt() -> None:
    facts = {"instruction": "Sum up the text.", "input": "Look at this picture of a cat."}
    with_fact = Record.born("Sum up the text.\n\nLook at this picture of a cat.", meta=facts)
    without = Record.born("Sum up the text.\n\nLook at this picture of a cat.")
    blank = Record.born("Look at this picture.", meta={"instruction": " "})
    assert [bool(reason) for reason in reasons(Rules(), with_fact, without, blank)] == [False, True, True]


def test_an_answer_that_says_the_input_again() -> None:
    facts = {"instruction": "Name the tone.", "input": "What a lovely day it is!"}
    record = Record.born("Name the tone.\n\nWhat a lovely day it is!", meta=facts)
    for text in (*facts.values(), record.prompt_text):
        assert reasons(Rules(), record.with_answers([Answer(text)])) == [
            "the answer only says again what it was given (1x)"
        ]
    assert reasons(Rules(), record.with_answers([Answer("cheerful")])) == [None]


def test_only_the_best_answer_is_judged() -> None:
    def scored(answer: Answer, reward: float) -> Answer:
        return Answer(answer.text, scores={"reward": reward, "length": 9.0})

    question = Record.born("What is a river?")
    assert reasons(
        Rules(),
        question.with_answers([scored(LOOP, 1.0), scored(GOOD, 2.0)]),
        question.with_answers([scored(GOOD, 1.0), scored(LOOP, 2.0)]),
        question.with_answers([LOOP, scored(GOOD, -5.0)]),
        question.with_answers([scored(GOOD, 1.0), scored(LOOP, 1.0)]),
        question.with_answers([GOOD, LOOP]),
        question,
    ) == [None, "the answer says the same sentence 6 times, 100% of the text", None, None, None, None]


rewards = st.none() | st.sampled_from([-1.0, 0.0, 2.0, float("nan"), float("-inf"), float("inf")])


@given(st.lists(st.lists(rewards, max_size=5), min_size=1, max_size=5))
def test_filters_choose_the_same_best_answer_as_records_do(table: list[list[float | None]]) -> None:
    records = [
        Record.born(
            "?",
            answers=[Answer(str(i), scores={} if r is None else {"reward": r}) for i, r in enumerate(row)],
        )
        for row in table
    ]
    best = [best_answer(record) for record in records]
    chosen = to_table(records).select(answered()).to_series().to_list()
    assert chosen == [answer and answer.text for answer in best]


def test_measures_survive_parquet_and_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    rules = Rules(asks_nothing=True)
    table = to_table(BROKEN.values())
    whole = rules.measure(table)
    whole.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert rules.reject(stored).to_list() == rules.reject(whole).to_list()
    assert all(rules.reject(stored).to_list())
    assert whole.equals(pl.concat(rules.measure(table[i : i + 3]) for i in range(0, table.height, 3)))


def test_all_rules_off_keeps_everything() -> None:
    none = Rules(**dict.fromkeys(Rules.model_fields, False))
    assert reasons(none, *BROKEN.values()) == [None] * len(BROKEN)


def test_empty_null_and_huge_tables() -> None:
    rules = Rules()
    empty = to_table([])
    assert rules.reject(rules.measure(empty)).to_list() == []
    assert rules.measure(empty).schema == rules.measure(to_table(BROKEN.values())).schema
    table = to_table([Record.born("What is a river?", answers=[LOOP])])
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("answers", "prompt", "meta")}
    assert rules.reject(rules.measure(table.with_columns(answers=nulls["answers"]))).to_list() == [None]
    assert rules.reject(rules.measure(table.with_columns(**nulls))).to_list() == [None]
    huge = Record.born("What is a river?", answers=[Answer("water " * 170_000)])
    silent = Record.born([Message("system", "be kind")], answers=[Answer("")])
    assert reasons(rules, huge, silent) == [
        "the answer repeats itself: 100% of its words are in phrases of 8 that came before",
        None,
    ]


def test_the_rules_are_those_of_the_factory() -> None:
    measures = Rules().measure(to_table([Record.born("What is a river?", answers=[LOOP])]))
    assert measures["repetition"].to_list() == [wording.repetition(LOOP.text)]
