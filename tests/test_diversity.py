"""Which records are chosen, each way against its rule written plainly."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.filters.diversity import Diversity
from tuneworks.filters.selection import facility_location as location
from tuneworks.filters.selection import farthest_first as farthest
from tuneworks.filters.selection import score_first as first
from tuneworks.filters.selection.facility_location import facility_location
from tuneworks.filters.selection.farthest_first import farthest_first
from tuneworks.filters.selection.nearest import Rows, Vectors, column
from tuneworks.filters.selection.ranking import ranking
from tuneworks.filters.selection.score_first import score_first

EXACT = np.array(
    [np.array(signs) / 2 * np.eye(8, dtype=np.float32)[list(at)].T for at in itertools.combinations(range(6), 4)
     for signs in ((1, 1, 1, 1), (1, -1, 1, -1))],
).sum(axis=2).astype(np.float32)  # fmt: skip
"""Unit vectors of four halves: every product of two is a quarter's multiple, exact in any order, with many ties."""

picks = st.lists(st.integers(0, len(EXACT) - 1), min_size=1, max_size=24).map(lambda at: EXACT[at])
WAYS = ("score_first", "facility_location", "farthest_first")


def drawn(rows: int, seed: int = 0, dimensions: int = 16) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimensions)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def plain_score_first(vectors: Vectors, count: int, most: float) -> list[int]:
    chosen: list[int] = []
    for row in range(len(vectors)):
        if len(chosen) < count and all(float(vectors[row] @ vectors[other]) <= most for other in chosen):
            chosen.append(row)
    return chosen


def plain_location(vectors: Vectors, count: int) -> list[int]:
    similar = np.maximum(vectors.astype(np.float64) @ vectors.T.astype(np.float64), 0)
    chosen: list[int] = []
    while len(chosen) < count:
        covered = similar[chosen].max(axis=0, initial=0)
        adds = np.maximum(similar - covered, 0).sum(axis=1).round(4)
        rest = [row for row in range(len(vectors)) if row not in chosen]
        chosen.append(max(rest, key=lambda row: (adds[row], -row)))
    return chosen


def plain_farthest(vectors: Vectors, count: int, start: int) -> list[int]:
    similar = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    chosen = [start]
    while len(chosen) < count:
        rest = [row for row in range(len(vectors)) if row not in chosen]
        chosen.append(min(rest, key=lambda row: (similar[row, chosen].max(), row)))
    return chosen


@given(picks, st.data(), st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.sampled_from([1, 3, 512]))
def test_score_first_is_the_rule_written_plainly(
    vectors: Vectors, data: st.DataObject, most: float, block: int
) -> None:
    count = data.draw(st.integers(1, len(vectors) + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first, "BLOCK", block)
        chosen, rivals, cosines = score_first(vectors, count, most)
    assert chosen.tolist() == plain_score_first(vectors, count, most)
    for row, (rival, cosine) in enumerate(zip(rivals, cosines, strict=True)):
        before = [at for at in chosen if at < row]
        assert rival == (max(before, key=lambda at: (float(vectors[at] @ vectors[row]), -at)) if before else -1)
        assert not before or cosine == vectors[rival] @ vectors[row]


@given(picks, st.data())
def test_facility_location_is_the_greedy_choice(vectors: Vectors, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(vectors)))
    assert facility_location(vectors, count).tolist() == plain_location(vectors, count)


@given(picks, st.data(), st.sampled_from([1, 2, 5, 2048]))
def test_farthest_first_is_the_greedy_choice(vectors: Vectors, data: st.DataObject, few: int) -> None:
    count = data.draw(st.integers(1, len(vectors)))
    start = data.draw(st.integers(0, len(vectors) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(farthest, "FEW", few)
        assert farthest_first(vectors, count, start).tolist() == plain_farthest(vectors, count, start)


@pytest.mark.parametrize("seed", range(3))
def test_all_ways_choose_as_their_rules_do_on_vectors_of_any_kind(seed: int) -> None:
    vectors = drawn(120, seed)
    assert facility_location(vectors, 30).tolist() == plain_location(vectors, 30)
    assert farthest_first(vectors, 30, 5).tolist() == plain_farthest(vectors, 30, 5)
    assert score_first(vectors, 30, 0.5)[0].tolist() == plain_score_first(vectors, 30, 0.5)


def test_many_rows_are_covered_in_parts_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = drawn(600)

    def covered(chosen: Rows) -> float:
        return float((vectors[chosen] @ vectors.T).max(axis=0).sum())

    best = covered(facility_location(vectors, 20))
    monkeypatch.setattr(location, "EXACT", 200)
    parts = facility_location(vectors, 20)
    assert len(set(parts.tolist())) == 20 and 0.97 * best < covered(parts) <= best
    many = facility_location(vectors, 500)  # more nominated than rows to tell them apart by: each part gives its share
    assert len(set(many.tolist())) == 500


def measures(vectors: Vectors, scores: list[float | None]) -> pl.DataFrame:
    ids = [f"{at:04d}" for at in range(len(vectors))]
    frame = pl.DataFrame({"id": ids, "score": scores}, schema={"id": pl.String, "score": pl.Float64})
    return frame.with_columns(embedding=column(vectors))


@given(picks, st.data(), st.sampled_from(WAYS), st.randoms(use_true_random=False))
def test_what_stays_does_not_depend_on_the_order_of_rows(
    vectors: Vectors, data: st.DataObject, by: str, dice: object
) -> None:
    scores = data.draw(st.lists(st.sampled_from([None, 1.0, 2.0]), min_size=len(vectors), max_size=len(vectors)))
    chosen = Diversity.model_validate({"records": data.draw(st.integers(1, len(vectors))), "by": by, "max": 0.5})
    frame = measures(vectors, scores)
    mixed = frame.select(pl.all().gather(data.draw(st.permutations(range(len(vectors))))))
    one, other = (t.select("id").hstack(chosen.verdicts(t)).sort("id") for t in (frame, mixed))
    assert one.equals(other)
    assert one["reason"].null_count() <= (chosen.records or 0)
    assert set(one["nearest"].drop_nulls()) <= set(one.filter(pl.col("reason").is_null())["id"])


def test_a_record_too_like_a_better_one_goes_and_names_it() -> None:
    frame = measures(EXACT[[0, 0, 9]], [1.5, None, 2.0])
    made = Diversity(records=3, max=0.9).verdicts(frame)
    alike = "the cosine with the selected record 0000, which has the reward 1.5, is 1.0, over 0.9"
    assert made.rows() == [(None, None, None), (alike, "0000", 1.0), (None, None, None)]
    full = Diversity(records=1, score="quality").verdicts(frame)["reason"]
    behind = "and the 1 records that were wanted come before it"
    assert full.to_list() == [f"its quality is 1.5, {behind}", f"it has no quality, {behind}", None]
    unrated = Diversity(records=3).reject(measures(EXACT[[0, 0]], [None, None]))
    assert unrated.to_list()[1] == "the cosine with the selected record 0000, which has no reward, is 1.0, over 0.9"


@pytest.mark.parametrize(
    ("by", "what"), [("facility_location", "that cover all best"), ("farthest_first", "farthest apart")]
)
def test_a_record_not_chosen_names_the_nearest_that_is(by: str, what: str) -> None:
    made = Diversity.model_validate({"records": 2, "by": by}).verdicts(measures(EXACT[[0, 0, 9]], [1.0, 2.0, 3.0]))
    assert made["reason"].null_count() == 2
    (gone,) = made.filter(pl.col("reason").is_not_null()).rows()
    assert gone[0] == f"not among the 2 records {what}; the cosine with the nearest of them, {gone[1]}, is 1.0"


@pytest.mark.parametrize("by", WAYS)
def test_no_rows_and_a_budget_no_smaller_than_the_rows(by: str) -> None:
    for budget in ({"records": 9}, {"share": 1.0}):
        chosen = Diversity.model_validate({"by": by, **budget})
        assert chosen.reject(measures(EXACT[:2], [1.0, 2.0])).to_list() == [None, None]
        assert chosen.verdicts(measures(EXACT[:0], [])).schema == pl.Schema(
            {"reason": pl.String(), "nearest": pl.String(), "score": pl.Float64()}
        )


def test_a_share_is_rounded_and_at_least_one_stays() -> None:
    def kept(share: float, rows: int) -> int:
        return Diversity(share=share, by="farthest_first").reject(measures(drawn(rows), [1.0] * rows)).null_count()

    assert (kept(0.25, 10), kept(0.26, 10), kept(0.01, 10)) == (2, 3, 1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "write how many stay, either as records"),
        ({"records": 10, "share": 0.5}, "either as records"),
        ({"records": 0}, "greater than or equal to 1"),
        ({"share": 0}, "greater than 0"),
        ({"share": 1.5}, "less than or equal to 1"),
        ({"records": 5, "max": 1.5}, "less than or equal to 1"),
        ({"records": 5, "by": "luck"}, "'score_first', 'facility_location' or 'farthest_first'"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Diversity.model_validate(options)


def test_a_missing_model_is_named_before_anything_is_measured() -> None:
    with pytest.raises(EngineUnavailable, match=r"no embedding model '\./nowhere'"):
        Diversity(records=5, model="./nowhere").check()


def test_what_ranks_is_the_best_answers_score_else_a_fact() -> None:
    answers = [Answer("a", scores={"reward": 1, "style": 5}), Answer("b", scores={"reward": 2, "style": 3})]
    table = to_table(
        [
            Record.born("one", answers=answers, meta={"level": 4, "topic": "tea"}),
            Record.born("two", answers=[Answer("a", scores={"reward": float("nan")})]),
            Record.born("none"),
        ]
    )
    names = ("reward", "style", "level", "topic", "other")
    made = table.select(ranking(name).alias(name) for name in names)
    assert made.rows() == [(2.0, 3.0, 4.0, None, None), (None,) * 5, (None,) * 5]
    assert to_table([]).select(ranking("reward")).height == 0


@pytest.mark.real
@pytest.mark.parametrize("on", ["instruction", "prompt", "prompt_and_answer"])
def test_texts_are_embedded_and_the_better_of_two_that_say_the_same_stays(on: str) -> None:
    texts = ["Write a poem about the sea.", "Write a short poem about the sea.", "How do I change a bicycle tyre?", ""]
    made = [Record.born(text, answers=[Answer("x", scores={"reward": at})]) for at, text in enumerate(texts)]
    table = to_table(made).with_columns(prompt=pl.when(pl.int_range(4) < 3).then("prompt"))
    chosen = Diversity.model_validate({"records": 4, "max": 0.8, "on": on})
    assert chosen.reject(chosen.measure(table)).is_null().to_list() == [False, True, True, True]
    assert chosen.reject(chosen.measure(table.clear())).to_list() == []
