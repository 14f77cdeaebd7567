"""Semantic duplicates: the better-rewarded stays, and what is decided does not depend on how measuring was cut."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.errors import EngineUnavailable, InputError
from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.filters.embedding.buckets import unit
from tuneworks.filters.embedding.neighbours import cosines
from tuneworks.filters.semantic_duplicates import SemanticDuplicates

REWARDS = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0]))
NUMBERS = st.sampled_from([-1.0, 0.0, 0.5, 3.0])
ROWS = st.lists(st.tuples(st.none() | st.lists(NUMBERS, min_size=3, max_size=3), REWARDS), max_size=14)


def measured(rows: list[tuple[list[float] | None, float | None]]) -> pl.DataFrame:
    vectors = unit(np.array([vector or [0, 0, 0] for vector, _ in rows], dtype=np.float32).reshape(-1, 3))
    given_ = [vector.tolist() if row[0] else None for vector, row in zip(vectors, rows, strict=True)]
    return pl.DataFrame(
        {"id": [f"r{at}" for at in range(len(rows))], "reward": [reward for _, reward in rows], "embedding": given_},
        schema={"id": pl.String, "reward": pl.Float64, "embedding": pl.Array(pl.Float32, 3)},
    )


@given(ROWS, st.sampled_from([0.5, 0.9, 1.0]))
def test_what_stays_is_greedy_with_the_better_rewarded_first(
    rows: list[tuple[list[float] | None, float | None]], limit: float
) -> None:
    measures = measured(rows)
    found = SemanticDuplicates(max=limit).verdicts(measures)
    vectors = unit(np.array([vector or [0, 0, 0] for vector, _ in rows], dtype=np.float32).reshape(-1, 3))

    def cosine(one: int, other: int) -> float:
        return float(cosines(vectors, vectors, np.array([one]), np.array([other]))[0])

    speaks = [at for at, (vector, _) in enumerate(rows) if vector]
    turn = sorted(speaks, key=lambda at: (rows[at][1] is None, -(rows[at][1] or 0), at))
    kept: list[int] = []
    for at in turn:
        kept += [] if any(cosine(at, other) > limit for other in kept) else [at]
    stays = found["reason"].is_null()
    assert stays.to_list() == [at in kept or at not in speaks for at in range(len(rows))]
    for at, (reason, near, score) in enumerate(found.iter_rows()):
        best = max((cosine(at, other) for other in kept if other != at), default=None) if at in speaks else None
        assert score == (None if best is None else pytest.approx(best, abs=1e-6))
        assert near is None if best is None else int(near[1:]) in kept
        if reason is not None:
            assert reason == f"cosine {round(score, 3)} to the kept record {near} is above {limit}"


def test_near_another_set_a_row_goes_and_does_not_count_against_others() -> None:
    measures = measured([([1, 0, 0], 1.0), ([1, 0, 0], None), ([0, 1, 0], None), (None, None)])
    other = pl.DataFrame({"item": ["test.jsonl row 2", "test.jsonl row 2", "test.jsonl row 5", None],
                          "cosine": [0.95, 0.85, 0.2, None]})  # fmt: skip
    found = SemanticDuplicates().verdicts(measures.hstack(other))
    assert found.rows() == [
        ("cosine 0.95 to test.jsonl row 2 is above 0.9", "test.jsonl row 2", 0.95),
        (None, "r2", 0.0),
        (None, "r1", 0.0),
        (None, None, None),
    ]


def test_options_are_checked_at_once(tmp_path: Path) -> None:
    for wrong in ({"max": 0.4}, {"max": 1.1}, {"on": "answer"}):
        with pytest.raises(ValidationError):
            SemanticDuplicates.model_validate(wrong)
    with pytest.raises(EngineUnavailable, match="there is no embedding model"):
        SemanticDuplicates(model="./nowhere").check()
    with pytest.raises(InputError, match="there is no file"):
        SemanticDuplicates(against=(str(tmp_path / "none.jsonl"),)).check()


STORY = "Write a short story about a fox who learns to swim."
AGAIN = "Write a short tale about a fox learning to swim."
OTHER = "Explain how photosynthesis works."


@pytest.mark.real
def test_the_same_in_other_words_goes_and_slices_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text(
        "\n".join(json.dumps({"prompt": text}) for text in ("What is 2 + 2?", "How does photosynthesis work?"))
    )
    filter_ = SemanticDuplicates(max=0.85, against=(str(file),))
    filter_.check()
    assert filter_.reads() == (str(file),)
    answers = [Answer("Once.", scores={"reward": 0.3}), Answer("There was a fox.", scores={"reward": 0.9})]
    records = [Record.born(STORY), Record.born(AGAIN, answers=answers), Record.born(OTHER), Record.born(""),
               Record.born("  "), Record.born("写一首关于春天的诗。")]  # fmt: skip
    table = to_table(records)
    measures = filter_.measure(table)
    assert measures.schema["embedding"] == pl.Array(pl.Float32, 384)
    assert measures["reward"].to_list() == [None, 0.9, None, None, None, None]
    found = filter_.verdicts(measures)
    assert found["nearest"][0] == records[1].id and found["score"][0] > 0.85
    assert found["reason"].is_null().to_list() == [False, True, False, True, True, True]
    assert f"to {file} row 2 is above 0.85" in found["reason"][2]
    parts = [filter_.measure(table[:0]), *(filter_.measure(part) for part in table.iter_slices(1))]
    assert pl.concat(parts).equals(measures)


@pytest.mark.real
def test_what_is_compared() -> None:
    told = {"instruction": STORY}
    table = to_table(
        [
            Record.born(STORY, answers=[Answer("The fox was afraid of water at first.")]),
            Record.born(f"{STORY} Use the words moon, castle, algebra, tax return and volcano.", meta=told),
            Record.born(STORY, answers=[Answer("def swim(n): return sum(range(n))")]),
        ]
    )
    stay = {
        on: SemanticDuplicates.model_validate({"on": on}).verdicts(
            SemanticDuplicates.model_validate({"on": on}).measure(table)
        )["reason"].is_null().to_list()
        for on in ("instruction", "prompt", "prompt_and_answer")
    }  # fmt: skip
    assert stay["instruction"] == [True, False, False]
    assert stay["prompt"] == [True, True, False]
    assert stay["prompt_and_answer"] == [True, True, True]
