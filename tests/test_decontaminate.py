"""Decontamination: as counting the n-grams of every item in every record, and what counts as an item."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.errors import EngineUnavailable, InputError
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.factory.rouge import unicode_tokens
from tuneworks.filters.decontaminate import FEWEST, FLOOR, Decontaminate

ITEM = "Janet's ducks lay sixteen eggs per day and she eats three of them for breakfast every single morning"


def written(path: Path, texts: list[str]) -> str:
    path.write_text("\n".join(json.dumps({"question": text}) for text in texts))
    return str(path)


def verdicts(filter_: Decontaminate, *records: Record) -> pl.DataFrame:
    return filter_.verdicts(filter_.measure(to_table(records)))


def contained(row: str, item: str, n: int) -> float | None:
    """The share of the item's n-grams in the row; None where the item is too short to count."""
    words, wanted = unicode_tokens(row), unicode_tokens(item)
    if len(wanted) < min(FEWEST, n):
        return None
    n = min(n, len(wanted))
    held = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    grams = {tuple(wanted[i : i + n]) for i in range(len(wanted) - n + 1)}
    return len(grams & held) / len(grams)


WORDS = st.sampled_from(["a", "b", "A.", "c", "写", "诗人", "...", "7"])
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(rows=st.lists(TEXTS, max_size=6), items=st.lists(TEXTS, min_size=1, max_size=6), n=st.integers(1, 8))
def test_the_best_of_all_items(rows: list[str], items: list[str], n: int, tmp_path: Path) -> None:
    file = written(tmp_path / "test.jsonl", [*items, "one whole item"])
    filter_ = Decontaminate(against=(file,), ngram=n, max=0.6)
    table = to_table(Record.born(text, answers=[Answer(text[:3])]) for text in rows)
    found = filter_.verdicts(filter_.measure(table))
    for text, (reason, nearest, score) in zip(rows, found.iter_rows(), strict=True):
        scores = [(contained(f"{text}\n{text[:3]}", item, n), -at) for at, item in enumerate(items, 1) if item.strip()]
        best, at = max([(share, at) for share, at in scores if share is not None], default=(0.0, 0))
        if best >= FLOOR:
            assert (nearest, score) == (f"{file} row {-at}", pytest.approx(best))
        else:
            assert (nearest, score) == (None, None)
        assert (reason is not None) == (best > 0.6)
    parts = [filter_.measure(table[:0]), *(filter_.measure(part) for part in table.iter_slices(2))]
    assert filter_.verdicts(pl.concat(parts)).equals(found)


@pytest.fixture
def test_set(tmp_path: Path) -> str:
    return written(tmp_path / "test.jsonl", ["Yes", "Is a whale a fish?", ITEM, "请用五种不同的方法证明勾股定理"])


def test_what_is_in_a_record_and_why_it_goes(test_set: str) -> None:
    filter_ = Decontaminate(against=(test_set,))
    filter_.check()
    assert filter_.reads() == (test_set,)
    half = " ".join(ITEM.split()[:11])
    records = [
        Record.born("Yes"),
        Record.born("Tell me: is a WHALE a fish?!"),
        Record.born("Hard sums", answers=[Answer("None"), Answer(f"Here is one: {ITEM.lower()}. Solve it.")]),
        Record.born([Message("system", f"Solve: {ITEM}"), Message("user", "Go")]),
        Record.born(half),
        Record.born("今天请用五种不同的方法证明勾股定理。"),
        Record.born("A whale is a fish"),
    ]
    found = verdicts(filter_, *records)
    whale, eggs, proof = (f"{test_set} row {row}" for row in (2, 3, 4))
    assert found["nearest"].to_list() == [None, whale, eggs, eggs, eggs, proof, None]
    assert found["score"].to_list() == [None, 1.0, 1.0, 1.0, pytest.approx(5 / 12), 1.0, None]
    assert found["reason"].is_null().to_list() == [True, False, False, False, True, False, True]
    assert found["reason"][2] == f"it holds 1.0 of the n-grams of {eggs}, above 0.5"
    prompts = verdicts(Decontaminate(against=(test_set,), on="prompt"), *records)
    assert prompts["reason"].is_null().to_list() == [True, False, True, False, True, False, True]


def test_exactly_the_limit_stays(tmp_path: Path) -> None:
    file = written(tmp_path / "test.jsonl", ["a b c d e f"])
    record = Record.born("a b c d")
    assert verdicts(Decontaminate(against=(file,), ngram=2, max=0.6), record)["reason"].to_list() == [None]
    assert verdicts(Decontaminate(against=(file,), ngram=2, max=0.59), record)["reason"].null_count() == 0


def test_of_several_sets_the_one_that_decided_is_named(test_set: str, tmp_path: Path) -> None:
    other = written(tmp_path / "other.jsonl", ["unlike", f"{ITEM} in the year"])
    found = verdicts(Decontaminate(against=(other, test_set)), Record.born(f"{ITEM} in the"))
    assert found["nearest"].to_list() == [f"{test_set} row 3"]


def test_empty_null_and_huge_tables(test_set: str, tmp_path: Path) -> None:
    filter_ = Decontaminate(against=(test_set,))
    empty = to_table([])
    assert filter_.reject(filter_.measure(empty)).to_list() == []
    table = to_table([Record.born("a", answers=[Answer("b " * 2_500_000)])])
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("answers", "prompt")}
    filter_.measure(table).write_parquet(tmp_path / "measures.parquet")
    assert filter_.reject(pl.read_parquet(tmp_path / "measures.parquet")).to_list() == [None]
    assert filter_.reject(filter_.measure(table.with_columns(**nulls))).to_list() == [None]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Field required"),
        ({"against": []}, "at least 1 item"),
        ({"against": ["a.jsonl"], "max": 0.1}, "greater than or equal to 0.2"),
        ({"against": ["a.jsonl"], "similarity": 0.9}, "model and similarity go together"),
        ({"against": ["a.jsonl"], "model": "minilm"}, "model and similarity go together"),
    ],
)
def test_options_out_of_range(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Decontaminate.model_validate(options)


def test_a_set_or_a_model_that_is_not_there(test_set: str) -> None:
    with pytest.raises(InputError, match="has no column answer"):
        Decontaminate(against=(f"{test_set}#answer",)).check()
    with pytest.raises(EngineUnavailable, match="no embedding model"):
        Decontaminate(against=(test_set,), model="./nowhere", similarity=0.9).check()


@pytest.mark.real
def test_the_same_in_other_words(tmp_path: Path) -> None:
    questions = [
        "What is the capital city of France?",
        "How do plants turn sunlight into sugar?",
        "What is the capital city of France?",
    ]
    file = written(tmp_path / "test.jsonl", questions)
    filter_ = Decontaminate(against=(file,), model="minilm", similarity=0.8)
    filter_.check()
    records = [
        Record.born("Which city is France's capital?"),
        Record.born("How do I fix a flat tyre?"),
        Record.born(""),
        Record.born("Tell me, how do plants turn sunlight into sugar?"),
    ]
    found = verdicts(filter_, *records)
    france, plants = f"{file} row 1", f"{file} row 2"
    assert found["reason"].is_null().to_list() == [False, True, True, False]
    assert found["nearest"].to_list()[:3] == [france, found["nearest"][1], None]
    assert found["reason"][0] == f"the cosine to {france} is {round(found['score'][0], 3)}, above 0.8"
    assert found["reason"][3] == f"it holds 1.0 of the n-grams of {plants}, above 0.5"
    assert found["nearest"][1] is not None and found["score"][1] < 0.8
    table = to_table(records)
    assert pl.concat([filter_.measure(part) for part in table.iter_slices(1)]).equals(filter_.measure(table))
