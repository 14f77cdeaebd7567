"""Exact duplicates: what makes two prompts the same, and that exactly one of each stays."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Message, Record, Role, to_table
from tuneworks.filters.exact_duplicates import ExactDuplicates, plain, plain_prompt, plain_texts


def reasons(filter_: ExactDuplicates, *records: Record) -> list[str | None]:
    return filter_.reject(filter_.measure(to_table(records))).to_list()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Name a city.", "name  a\ncity"),
        ("Name a city", " Name a city!? "),
        ("ＡＢＣ１", "abc1"),
        ("cafe\u0301", "CAFÉ"),
        ("Straße", "STRASSE"),
        ("写一首诗。", "写一首诗"),
        ("你好，世界！", "你好,世界"),
    ],
)
def test_white_space_case_form_and_closing_marks_do_not_count(one: str, other: str) -> None:
    first = Record.born(one)
    assert reasons(ExactDuplicates(), first, Record.born(other)) == [
        None,
        f"the same prompt as the kept record {first.id}",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is C?", "What is C#?"),
        ("...", "!!!"),
        ("a b", "ab"),
        ("2+2", "2-2"),
        ("résumé", "resume"),
        ("", " ."),
    ],
)
def test_other_texts_are_other_texts(one: str, other: str) -> None:
    assert reasons(ExactDuplicates(), Record.born(one), Record.born(other)) == [None, None]


def test_all_messages_count_with_their_roles() -> None:
    talks = [
        [Message("user", "Go on.")],
        [Message("user", "Tell a joke"), Message("assistant", "Why?"), Message("user", "Go on.")],
        [Message("user", "Tell a joke"), Message("assistant", "Who?"), Message("user", "Go on.")],
        [Message("system", "Go on.")],
        [],
    ]
    assert reasons(ExactDuplicates(), *map(Record.born, talks)) == [None] * 5


def test_prompt_and_answer() -> None:
    records = [
        Record.born("Name a city", answers=[Answer("Oslo")], source="a"),
        Record.born("Name a city", answers=[Answer("Lima")]),
        Record.born("Name a city", answers=[Answer("Lima"), Answer("oslo.", scores={"reward": 1.0})]),
        Record.born("Name a city"),
        Record.born("Name a city", source="b"),
        Record.born("Name a city", answers=[Answer("")]),
    ]
    both = ExactDuplicates(on="prompt_and_answer")
    assert reasons(both, *records) == [
        None,
        None,
        f"the same prompt and answer as the kept record {records[0].id}",
        None,
        f"the same prompt and answer as the kept record {records[3].id}",
        None,
    ]
    assert reasons(ExactDuplicates(), *records).count(None) == 1


@given(st.lists(st.text(st.sampled_from("aAbＢ .!"), max_size=4), max_size=12), st.integers(1, 5))
def test_one_of_each_stays_the_first_whatever_the_batch(prompts: list[str], batch: int) -> None:
    filter_ = ExactDuplicates()
    table = to_table(Record.born(p, source=str(i)) for i, p in enumerate(prompts))
    rejected = filter_.reject(filter_.measure(table)).to_list()
    kept = [p for p, reason in zip(prompts, rejected, strict=True) if reason is None]
    assert [plain(p) for p in kept] == list(dict.fromkeys(plain(p) for p in prompts))
    parts = [filter_.measure(table[i : i + batch]) for i in range(0, table.height, batch)]
    assert filter_.reject(pl.concat([filter_.measure(table[:0]), *parts])).to_list() == rejected


def test_measures_survive_parquet(tmp_path: Path) -> None:
    filter_ = ExactDuplicates()
    measures = filter_.measure(to_table([Record.born("a"), Record.born("A"), Record.born("b")]))
    measures.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert filter_.reject(stored).to_list() == filter_.reject(measures).to_list()
    assert filter_.reject(stored).null_count() == 2


@pytest.mark.parametrize("on", ["prompt", "prompt_and_answer"])
def test_empty_null_and_huge_tables(on: str) -> None:
    filter_ = ExactDuplicates.model_validate({"on": on})
    empty = to_table([])
    assert filter_.reject(filter_.measure(empty)).to_list() == []
    table = to_table([Record.born("a", answers=[Answer("b" * 1_000_000)])])
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("answers", "prompt")}
    assert filter_.reject(filter_.measure(table)).to_list() == [None]
    assert filter_.reject(filter_.measure(table.with_columns(**nulls))).to_list() == [None]


MIXED = st.text(
    st.sampled_from("aA 1.,;!?\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u2003\u3000\u200bßſÉé\u0301Ｂ。、，写İıﬁ\x00'"),
    max_size=8,
)


@given(st.lists(MIXED | st.text(max_size=8) | st.none(), max_size=20))
def test_all_rows_at_once_give_what_one_text_gives(texts: list[str | None]) -> None:
    known = [text.encode("utf-8", "replace").decode() if text is not None else None for text in texts]
    made = plain_texts(pl.Series(known, dtype=pl.String)).to_list()
    assert made == [None if text is None else plain(text) for text in known]


TURN = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), MIXED)


@given(st.lists(st.tuples(st.lists(TURN, max_size=3), st.none() | MIXED), max_size=12))
def test_prompts_are_the_same_where_all_that_is_compared_is(rows: list[tuple[list[Message], str | None]]) -> None:
    answered = [[Answer(answer)] if answer is not None else [] for _, answer in rows]
    table = to_table(Record.born(prompt, answers=a) for (prompt, _), a in zip(rows, answered, strict=True))
    prompts = [tuple((m.role, plain(m.content)) for m in prompt) for prompt, _ in rows]
    both = [(said, None if a is None else plain(a)) for said, (_, a) in zip(prompts, rows, strict=True)]
    measured = ExactDuplicates(on="prompt_and_answer").measure(table)
    assert groups(measured["prompt"].to_list()) == groups(prompts)
    assert groups(list(zip(measured["prompt"], measured["answer"], strict=True))) == groups(both)
    turns = [[(m.role, m.content) for m in prompt] for prompt, _ in rows]
    assert measured["prompt"].to_list() == list(map(plain_prompt, turns))
    assert ExactDuplicates().measure(table)["prompt"].to_list() == measured["prompt"].to_list()


def groups(values: Sequence[object]) -> list[int]:
    """For each value the place of the first that equals it."""
    return [values.index(value) for value in values]


@pytest.fixture
def test_set(tmp_path: Path) -> str:
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Go on."},
    ]
    rows = [{"prompt": "Name a city."}, {"prompt": talk}, {"prompt": "name a CITY"}]
    file = tmp_path / "test.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return str(file)


@pytest.mark.parametrize("on", ["prompt", "prompt_and_answer"])
def test_what_another_set_says_goes(on: str, test_set: str) -> None:
    talk: list[tuple[Role, str]] = [("user", "hi"), ("assistant", "Hello!"), ("user", "Go on")]
    records = [
        Record.born("Name a city", answers=[Answer("Oslo")]),
        Record.born("Name a river", answers=[Answer("Oder")]),
        Record.born("name a city!", answers=[Answer("Lima")]),
        Record.born([Message(*turn) for turn in talk]),
        Record.born("Go on."),
        Record.born("name a river", answers=[Answer("oder")]),
    ]
    filter_ = ExactDuplicates.model_validate({"on": on, "against": [test_set]})
    filter_.check()
    assert filter_.reads() == (test_set,)
    verdicts = filter_.verdicts(filter_.measure(to_table(records)))
    first, talked, kept = f"{test_set} row 1", f"{test_set} row 2", records[1].id
    assert verdicts["nearest"].to_list() == [first, None, first, talked, None, kept]
    what = on.replace("_", " ")
    assert verdicts["reason"].to_list() == [
        f"the same prompt as {first}",
        None,
        f"the same prompt as {first}",
        f"the same prompt as {talked}",
        None,
        f"the same {what} as the kept record {kept}",
    ]


def test_another_set_that_is_not_there() -> None:
    with pytest.raises(InputError, match="there is no file"):
        ExactDuplicates(against=("nowhere.jsonl",)).check()
