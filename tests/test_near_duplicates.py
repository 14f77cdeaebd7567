"""Near duplicates: as comparing all pairs of sets of n-grams one by one, and greedy in the order of the rows."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.factory.rouge import unicode_tokens
from tuneworks.filters.near_duplicates import NearDuplicates

STORY = "Write a short story about a brave little fox who learns to swim across the cold river"


def verdicts(filter_: NearDuplicates, *records: Record) -> pl.DataFrame:
    return filter_.verdicts(filter_.measure(to_table(records)))


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = unicode_tokens(text)
    return {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))} if words else set()


def jaccard(one: str, other: str, n: int) -> float:
    a, b = grams(one, n), grams(other, n)
    return len(a & b) / len(a | b) if a | b else 0.0


WORDS = st.sampled_from(["the", "fox", "The", "Fox!", "swims", "写", "诗", "写诗", "été", "...", "42"])
TEXTS = st.lists(st.lists(WORDS, max_size=7).map(" ".join), max_size=14)


@given(TEXTS, st.integers(1, 4), st.sampled_from([0.2, 0.5, 0.7, 1.0]))
def test_what_stays_is_what_all_pairs_say(texts: list[str], n: int, most: float) -> None:
    records = [Record.born(text, source=str(at)) for at, text in enumerate(texts)]
    found = verdicts(NearDuplicates(ngram=n, max=most), *records)
    place = {record.id: at for at, record in enumerate(records)}
    kept: list[int] = []
    for at, (reason, nearest, score) in enumerate(found.iter_rows()):
        scores = {other: jaccard(texts[at], texts[other], n) for other in kept}
        if reason is None:
            assert max(scores.values(), default=0.0) <= most
            kept.append(at)
        else:
            assert scores[place[nearest]] == pytest.approx(score) and score > most
            assert reason == f"Jaccard {round(score, 3)} to the kept record {nearest} is above {most}"


@given(TEXTS, st.integers(1, 5))
def test_measured_in_slices_it_decides_the_same(texts: list[str], rows: int) -> None:
    filter_ = NearDuplicates(max=0.5)
    table = to_table(Record.born(text, source=str(at)) for at, text in enumerate(texts))
    slices = [filter_.measure(table[:0]), *(filter_.measure(part) for part in table.iter_slices(rows))]
    assert filter_.verdicts(pl.concat(slices)).equals(filter_.verdicts(filter_.measure(table)))


def test_the_nearest_is_named() -> None:
    far, close = f"{STORY} and then through the deep dark wood", f"{STORY} again"
    records = [Record.born(far), Record.born(f"{STORY} twice over"), Record.born(close)]
    found = verdicts(NearDuplicates(max=0.4), *records)
    assert found["nearest"].to_list() == [None, records[0].id, records[0].id]
    found = verdicts(NearDuplicates(max=0.8), *records)
    assert found["nearest"].to_list() == [None, None, records[1].id]
    assert found["score"].to_list() == [None, None, pytest.approx(15 / 18)]


def test_exactly_the_limit_stays() -> None:
    one, other = Record.born("a b c d"), Record.born("a b c d e f")
    assert verdicts(NearDuplicates(ngram=1, max=4 / 6), one, other)["reason"].null_count() == 2
    assert verdicts(NearDuplicates(ngram=1, max=0.66), one, other)["reason"].null_count() == 1


def test_what_is_compared() -> None:
    system, told = Message("system", "You are a pirate with a parrot"), Message("user", STORY)
    records = [
        Record.born([told], answers=[Answer("Once there was a fox in the far north of the land")]),
        Record.born([system, told], answers=[Answer("No")]),
        Record.born(f"{STORY}: in French, with rhymes, for children of five years", meta={"instruction": STORY}),
        Record.born([Message("user", "Hello, who might you be today my friend?"), Message("assistant", "A bot"), told]),
    ]
    stay = {
        on: verdicts(NearDuplicates.model_validate({"on": on}), *records)["reason"].is_null().to_list()
        for on in ("instruction", "prompt", "prompt_and_answer")
    }
    assert stay == {
        "instruction": [True, False, False, False],
        "prompt": [True, False, True, True],
        "prompt_and_answer": [True, True, True, True],
    }


def test_texts_without_words_are_no_duplicates() -> None:
    assert (
        verdicts(NearDuplicates(), *(Record.born(text) for text in ("", "...", "!?", "...")))["reason"].null_count()
        == 4
    )


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    talk = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "写一首关于春天的诗"}]
    file = tmp_path / "seeds.jsonl"
    file.write_text(
        "\n".join(json.dumps(row) for row in [{"prompt": "Unlike all"}, {"prompt": STORY}, {"prompt": talk}])
    )
    return str(file)


@pytest.mark.parametrize("on", ["instruction", "prompt", "prompt_and_answer"])
def test_what_is_near_to_another_set_goes(on: str, seeds: str) -> None:
    filter_ = NearDuplicates.model_validate({"on": on, "against": [seeds]})
    filter_.check()
    assert filter_.reads() == (seeds,)
    records = [
        Record.born(f"{STORY} now", answers=[Answer("Once upon a time")]),
        Record.born("How do I bake bread?"),
        Record.born("请写一首关于春天的诗"),
        Record.born("How do I bake bread"),
    ]
    found = verdicts(filter_, *records)
    places = [f"{seeds} row 2", None, f"{seeds} row 3", records[1].id]
    assert found["nearest"].to_list() == places
    assert found["reason"][0] == f"Jaccard {round(15 / 16, 3)} to {seeds} row 2 is above 0.7"
    assert found["score"].to_list() == [pytest.approx(15 / 16), None, pytest.approx(7 / 8), 1.0]


def test_many_copies_are_quick_and_measures_survive_parquet(tmp_path: Path) -> None:
    filter_ = NearDuplicates()
    table = to_table([Record.born(STORY)] * 2).sample(50_000, with_replacement=True)
    filter_.measure(table).write_parquet(tmp_path / "m.parquet")
    reasons = filter_.reject(pl.read_parquet(tmp_path / "m.parquet"))
    assert reasons[0] is None and reasons.null_count() == 1


@pytest.mark.parametrize("on", ["instruction", "prompt", "prompt_and_answer"])
def test_empty_null_and_huge_tables(on: str) -> None:
    filter_ = NearDuplicates.model_validate({"on": on})
    empty = to_table([])
    assert filter_.reject(filter_.measure(empty)).to_list() == []
    table = to_table([Record.born("a", answers=[Answer("b" * 5_000_000)])])
    nulls = {name: pl.lit(None, dtype=empty.schema[name]) for name in ("answers", "prompt", "meta")}
    assert filter_.reject(filter_.measure(table)).to_list() == [None]
    assert filter_.reject(filter_.measure(table.with_columns(**nulls))).to_list() == [None]


@pytest.mark.parametrize("options", [{"max": 0}, {"max": 1.1}, {"ngram": 0}, {"on": "answer"}])
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NearDuplicates.model_validate(options)


def test_a_set_without_the_column(seeds: str) -> None:
    with pytest.raises(InputError, match="has no column answer"):
        NearDuplicates(against=(f"{seeds}#answer",)).check()
