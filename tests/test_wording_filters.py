"""What all filters by wording promise: any table is measured row by row, and a record without an answer passes."""

from pathlib import Path

import polars as pl
import pytest

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.filters.filter import Filter
from tuneworks.filters.rules import Rules
from tuneworks.filters.wording.answer_signs import CodeFences, Refusal, SelfReference
from tuneworks.filters.wording.copied_input import CopiedInput
from tuneworks.filters.wording.instruction_signs import AsksNothing, NeedsAttachment
from tuneworks.filters.wording.listed_words import ListedWords
from tuneworks.filters.wording.prompt_leakage import PromptLeakage
from tuneworks.filters.wording.repetition import Repetition
from tuneworks.filters.wording.truncated import Truncated

ASKED = "What is a river?"
BROKEN: dict[Filter, tuple[str, str]] = {
    Refusal(): (ASKED, "I'm sorry, but I can't help with that."),
    SelfReference(): (ASKED, "As an AI, I see none."),
    CodeFences(): (ASKED, "Run\n```sh\nls"),
    Repetition(): (ASKED, "I like tea. " * 6),
    Truncated(): (ASKED, "It is water that flows,"),
    CopiedInput(): (ASKED, ASKED),
    NeedsAttachment(): ("Describe this picture.", "It is blue."),
    AsksNothing(): ("The river is the best part of the city.", "It is."),
    PromptLeakage(): (ASKED, "Water.<|im_end|>"),
    ListedWords(words=("darn",)): (ASKED, "Darn if I know."),
}
FILTERS = pytest.mark.parametrize("work", BROKEN, ids=lambda work: work.kind)
OF_INSTRUCTIONS = ("needs_attachment", "asks_nothing")


def table_of(*pairs: tuple[str, str]) -> pl.DataFrame:
    return to_table(Record.born(asked, answers=[Answer(text)]) for asked, text in pairs)


def reasons(work: Filter, table: pl.DataFrame) -> list[str | None]:
    return work.reject(work.measure(table)).to_list()


@FILTERS
def test_each_names_the_text_that_it_judged(work: Filter) -> None:
    bad, good = reasons(work, table_of(BROKEN[work], (ASKED, "It is water on its way to the sea.")))
    assert bad is not None
    assert bad.startswith("the instruction " if work.kind in OF_INSTRUCTIONS else "the answer ")
    assert good is None
    assert work.by_process


@FILTERS
def test_records_without_an_answer_pass_what_judges_answers(work: Filter) -> None:
    bare = to_table([Record.born(BROKEN[work][0])])
    assert (reasons(work, bare) == [None]) == (work.kind not in OF_INSTRUCTIONS)
    assert work.measure(bare).schema == work.measure(table_of(BROKEN[work])).schema


@FILTERS
def test_empty_tables_and_nulls(work: Filter) -> None:
    empty, table = to_table([]), table_of(BROKEN[work])
    assert reasons(work, empty) == []
    assert work.measure(empty).schema == work.measure(table).schema
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("answers", "prompt", "meta")}
    assert reasons(work, table.with_columns(**nulls)) == [None]


@FILTERS
def test_measures_survive_parquet_and_any_cut(work: Filter, tmp_path: Path) -> None:
    table = table_of(*BROKEN.values())
    whole = work.measure(table)
    assert whole.equals(pl.concat(work.measure(table[at : at + 3]) for at in range(0, table.height, 3)))
    whole.write_parquet(tmp_path / "measures.parquet")
    assert work.reject(pl.read_parquet(tmp_path / "measures.parquet")).to_list() == reasons(work, table)


@FILTERS
def test_the_bundle_says_the_same(work: Filter) -> None:
    option = {"code_fences": "unbalanced_fences", "copied_input": "same_text"}.get(work.kind, work.kind)
    if option in Rules.model_fields:
        bundle = Rules(**{**dict.fromkeys(Rules.model_fields, False), option: True})
        assert reasons(bundle, table_of(*BROKEN.values())) == reasons(work, table_of(*BROKEN.values()))
    else:
        assert option in ("prompt_leakage", "listed_words")


def test_a_refusal_counts_in_the_opening_alone() -> None:
    table = table_of((ASKED, "Rivers flow. " * 4 + "I cannot assist you."))
    assert reasons(Refusal(), table) == ['the answer refuses at character 50: "i cannot assist"']
    assert reasons(Refusal(opening=60), table) == [None]
