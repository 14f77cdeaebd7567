"""The ROUGE-L filter against brute force, its exemption for instances of one task, and what it writes down."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Message, Record, to_table
from tuneworks.factory.rouge import rouge_l, unicode_tokens
from tuneworks.filters.rouge import LOWEST, Rouge

LAKE = "Write a short poem about a lake in winter."
SEA = "Write a short poem about a sea in winter."


def reasons(filter_: Rouge, *records: Record) -> list[str | None]:
    return filter_.reject(filter_.measure(to_table(records))).to_list()


def made(instruction: str, number: int, parents: tuple[str, ...] = ()) -> Record:
    facts = {"instruction": instruction, "input": str(number)}
    return Record.born(f"{instruction}\n\n{number}", parents=parents, meta=facts)


def kept_by_brute_force(records: list[Record], limit: float) -> list[int]:
    kept: list[int] = []
    for i, record in enumerate(records):
        if not any(
            rouge_l(words(records[k]), words(record)) > limit and not siblings(records[k], record) for k in kept
        ):
            kept.append(i)
    return kept


def words(record: Record) -> list[str]:
    return unicode_tokens(str(record.meta["instruction"]))


def siblings(a: Record, b: Record) -> bool:
    return a.meta["instruction"] == b.meta["instruction"] and not set(a.parents).isdisjoint(b.parents)


instructions = st.lists(st.sampled_from("abcdA"), min_size=1, max_size=8).map(" ".join) | st.just("...")
families = st.lists(st.sampled_from("pqr"), max_size=2, unique=True).map(tuple)


@given(
    st.lists(st.tuples(instructions, families), max_size=14),
    st.sampled_from([0.3, 0.4, 0.5, 2 / 3, 0.7, 0.8, 1.0]),
)
def test_the_kept_set_is_that_of_brute_force(rows: list[tuple[str, tuple[str, ...]]], limit: float) -> None:
    records = [made(text, i, parents) for i, (text, parents) in enumerate(rows)]
    rejected = reasons(Rouge(max=limit), *records)
    assert [i for i, reason in enumerate(rejected) if reason is None] == kept_by_brute_force(records, limit)
    assert rejected[: len(rows) // 2] == reasons(Rouge(max=limit), *records[: len(rows) // 2])


def test_the_reason_names_the_score_and_the_record_that_stays() -> None:
    first = Record.born(LAKE)
    assert reasons(Rouge(), first, Record.born(SEA)) == [
        None,
        f"ROUGE-L 0.889 to the kept record {first.id} is above 0.7",
    ]


def test_only_records_that_stay_count() -> None:
    """The third is close to the second alone, and the second is gone."""
    chain = [made("a b c d e f g h", 0), made("a b c d e f x y", 1), made("a b c d x y u v", 2)]
    assert [reason is None for reason in reasons(Rouge(), *chain)] == [True, False, True]


def test_at_exactly_the_limit_a_record_stays() -> None:
    pair = [made("a b c d e f g h i j", 0), made("a b c d e f g x y z", 1)]
    assert reasons(Rouge(max=0.7), *pair) == [None, None]
    assert reasons(Rouge(max=0.69), *pair)[1] is not None


def test_the_closest_record_is_named_and_of_equals_the_first() -> None:
    a, b, c = made("a b c d e f g h", 0), made("p q r s t u v w", 1), made("x b c d e f g w", 2)
    assert reasons(Rouge(), a, b, c, made("a b c d e f g z", 3))[3] is not None
    twins = [made("a b c d", 0, ("p",)), made("a b c d", 1, ("p",)), made("a b c d e", 2)]
    assert reasons(Rouge(), *twins) == [
        None,
        None,
        f"ROUGE-L 0.889 to the kept record {twins[0].id} is above 0.7",
    ]


def test_instances_of_one_task_are_exempt_from_each_other() -> None:
    family = [made(LAKE, i, ("task", f"call {i}")) for i in range(3)]
    stranger, orphan, cousin = made(LAKE, 3, ("other",)), made(LAKE, 4), made(SEA, 5, ("task",))
    rejected = reasons(Rouge(), *family, stranger, orphan, cousin)
    assert [reason is None for reason in rejected] == [True, True, True, False, False, False]
    assert [r is None for r in reasons(Rouge(on="prompt"), *family)] == [True, False, False]


def test_one_instruction_for_all_stays_small() -> None:
    records = [made("Classify the tone of the text.", i) for i in range(3_000)]
    assert [reason is None for reason in reasons(Rouge(), *records)] == [True, *[False] * 2_999]
    family = [made("Classify the tone of the text.", i, ("task", f"call {i}")) for i in range(3_000)]
    assert reasons(Rouge(), *family) == [None] * 3_000


def test_prompt_compares_the_conversation_without_the_system() -> None:
    guide = Message("system", "You are a patient guide who answers in one short line of plain English, always.")
    talks = [
        [guide, Message("user", "Name a city.")],
        [guide, Message("user", "How deep is the sea?")],
        [
            Message("user", "Where do owls sleep?"),
            Message("assistant", "In old barns."),
            Message("user", "Go on."),
        ],
        [Message("user", "Is tea a fruit?"), Message("assistant", "No, a leaf."), Message("user", "Go on.")],
    ]
    records = list(map(Record.born, talks))
    assert reasons(Rouge(on="prompt"), *records) == [None] * 4
    assert [r is None for r in reasons(Rouge(), *records)] == [True, True, True, False]


def test_the_ascii_tokenizer_does_not_see_other_scripts() -> None:
    pair = [Record.born("写一首关于大海的诗", source="a"), Record.born("写一首关于大海的诗", source="b")]
    assert reasons(Rouge(tokenizer="ascii"), *pair) == [None, None]
    assert reasons(Rouge(), *pair)[1] is not None


@pytest.mark.parametrize("limit", [LOWEST - 0.01, 1.01, -1, float("nan")])
def test_limits_out_of_range_are_refused(limit: float) -> None:
    with pytest.raises(ValidationError):
        Rouge(max=limit)


def test_measures_are_of_each_row_alone_the_same_for_every_limit_and_survive_parquet(tmp_path: Path) -> None:
    table = to_table([Record.born(LAKE), Record.born(SEA), Record.born("What is 2 + 2?"), Record.born(LAKE + "!")])
    measures = Rouge().measure(table)
    assert measures.equals(Rouge(max=0.95).measure(table))
    assert measures.equals(pl.concat([Rouge().measure(table[:1]), Rouge().measure(table[1:])]))
    assert measures["text"].to_list() == [LAKE, SEA, "What is 2 + 2?", LAKE + "!"]
    measures.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    for limit, kept in ((0.4, 2), (0.7, 2), (0.95, 3), (1.0, 4)):
        assert Rouge(max=limit).reject(stored).null_count() == kept
        assert Rouge(max=limit).reject(stored).to_list() == Rouge(max=limit).reject(measures).to_list()


def test_verdicts_name_the_nearest_record_that_stays_and_its_score() -> None:
    table = to_table([Record.born(LAKE), Record.born(SEA), Record.born("What is 2 + 2?")])
    verdicts = Rouge().verdicts(Rouge().measure(table))
    assert verdicts["nearest"].to_list() == [None, table["id"][0], None]
    assert verdicts["score"].to_list() == [None, rouge_l(unicode_tokens(LAKE), unicode_tokens(SEA)), None]


def test_records_near_another_set_go_and_count_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"question": "What is an owl?"}\n{"question": "' + LAKE + '"}\n')
    filter_ = Rouge(against=(f"{tmp_path}/test.jsonl",), max=0.8)
    near_both, near_record = LAKE.replace("short", "long"), LAKE.replace("short", "long").replace("lake", "sea")
    rejected = reasons(filter_, *map(Record.born, (near_both, near_record, SEA, near_record + "!", LAKE)))
    assert rejected == [
        f"ROUGE-L 0.889 to {tmp_path}/test.jsonl row 2 is above 0.8",
        None,
        f"ROUGE-L 0.889 to {tmp_path}/test.jsonl row 2 is above 0.8",
        f"ROUGE-L 1.000 to the kept record {Record.born(near_record).id} is above 0.8",
        f"ROUGE-L 1.000 to {tmp_path}/test.jsonl row 2 is above 0.8",
    ]
    assert filter_.reads() == (f"{tmp_path}/test.jsonl",)
    with pytest.raises(InputError, match="there is no file"):
        Rouge(against=(f"{tmp_path}/nothing.jsonl",)).check()
    talk = [Message("user", "Hello."), Message("assistant", "Hi."), Message("user", "What is an owl?")]
    assert [r is None for r in reasons(filter_, Record.born(talk))] == [False]
    assert [r is None for r in reasons(Rouge(on="prompt", against=filter_.against, max=0.8), Record.born(talk))] == [
        True
    ]


def test_empty_null_and_huge_tables() -> None:
    filter_ = Rouge()
    empty = to_table([])
    assert filter_.reject(filter_.measure(empty)).to_list() == []
    table = to_table([Record.born("..."), Record.born("...", source="a"), Record.born(""), Record.born("", source="a")])
    assert filter_.measure(empty).schema == filter_.measure(table).schema
    assert filter_.reject(filter_.measure(table)).to_list() == [None] * 4
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("prompt", "parents", "meta")}
    assert filter_.reject(filter_.measure(table.with_columns(**nulls))).to_list() == [None] * 4
    huge = [Record.born("word " * 200_000), Record.born("word " * 199_999), Record.born("word")]
    assert [reason is None for reason in reasons(Rouge(on="prompt"), *huge)] == [True, False, True]
