"""At most so many of each group: who stays, and what makes a group."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.filters.cap import Cap
from tuneworks.filters.selection.clusters import cluster_of
from tuneworks.filters.selection.nearest import column

MEASURES = {"id": pl.String, "reward": pl.Float64, "group": pl.String}
rows = st.lists(
    st.tuples(st.uuids().map(str), st.sampled_from([None, 1.0, 2.0]), st.sampled_from([None, "a", "b", "c"])),
    max_size=20,
    unique_by=lambda row: row[0],
)


def plainly(measured: list[tuple[str, float | None, str | None]], most: int) -> set[str]:
    """The ids that stay: go through the better-rewarded first, of equals the lower id, and count."""
    kept, seen = set(), dict.fromkeys("abc", 0)
    for key, _, group in sorted(measured, key=lambda row: (-(row[1] or 0), row[0])):
        if group is not None:
            seen[group] += 1
        if group is None or seen[group] <= most:
            kept.add(key)
    return kept


@given(rows, st.integers(1, 6), st.data())
def test_who_stays_is_the_rule_written_plainly(
    measured: list[tuple[str, float | None, str | None]], most: int, data: st.DataObject
) -> None:
    frame = pl.DataFrame(data.draw(st.permutations(measured)), schema=MEASURES, orient="row")
    reasons = Cap(most=most).reject(frame)
    assert reasons.dtype == pl.String and len(reasons) == len(measured)
    assert set(frame.filter(reasons.is_null())["id"]) == plainly(measured, most)


def test_the_reason_says_the_place_the_group_and_what_decided() -> None:
    frame = pl.DataFrame([("b", 0.5, "x"), ("a", 2.0, "x"), ("c", None, "x"), ("d", None, "y")], MEASURES, orient="row")
    assert Cap(most=1, per="verb_object").reject(frame).to_list() == [
        'number 2 of 3 records whose verb and object are "x", by reward (0.5); 1 stay',
        None,
        'number 3 of 3 records whose verb and object are "x", by draw; 1 stay',
        None,
    ]
    assert 'whose topic is "x"' in str(Cap(most=1, per="meta.topic").reject(frame)[0])


@pytest.mark.parametrize(
    ("per", "groups"),
    [
        ("source", ["seeds", "seeds", "made"]),
        ("kind", ["writing", "classification", None]),
        ("verb", ["write", "sort", None]),
        ("verb_object", ["write poem", "sort item", None]),
        ("meta.topic", ["sea", None, None]),
        ("meta.主题", [None, "物", None]),
        ("meta.deep", [None, None, "2"]),
    ],
)
def test_what_makes_a_group(per: str, groups: list[str | None]) -> None:
    poem = Record.born("Write a poem.", source="seeds", meta={"kind": "writing", "topic": "sea"})
    item = Record.born("Sort this item.", source="seeds", meta={"is_classification": True, "主题": "物"})
    table = to_table([poem, item, Record.born("", source="made", meta={"deep": 2})])
    made = Cap(most=1, per=per).measure(table)
    assert made["group"].to_list() == groups and made["id"].to_list() == table["id"].to_list()
    empty = Cap(most=1, per=per)
    assert empty.reject(empty.measure(to_table([]))).to_list() == []


def test_the_better_rewarded_stay_and_a_record_without_a_prompt_is_no_trouble() -> None:
    made = [Record.born("Write a poem.", answers=[Answer("x", scores={"reward": at})], source="s") for at in (1, 3, 2)]
    table = to_table(made).with_columns(prompt=pl.when(pl.int_range(3) < 2).then("prompt"))
    assert Cap(most=1).reject(Cap(most=1).measure(table)).is_null().to_list() == [False, True, False]
    by_verb = Cap(most=1, per="verb")
    assert by_verb.reject(by_verb.measure(table)).is_null().to_list() == [False, True, True]


def far_apart(groups: int, each: int) -> pl.DataFrame:
    centres = np.eye(groups, 16, dtype=np.float32).repeat(each, axis=0)
    noise = np.random.default_rng(0).normal(scale=0.02, size=centres.shape)
    vectors = (centres + noise).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{at:04d}" for at in range(len(vectors))]
    frame = pl.DataFrame({"id": ids, "reward": pl.Series([None] * len(ids), dtype=pl.Float64)})
    return frame.with_columns(embedding=column(vectors))


def test_clusters_are_capped_and_do_not_depend_on_the_order_of_rows() -> None:
    frame = far_apart(4, 30)
    chosen = Cap(most=5, per="cluster", clusters=4)
    reasons = chosen.reject(frame)
    assert [reasons[at : at + 30].null_count() for at in range(0, 120, 30)] == [5, 5, 5, 5]
    mixed = frame.sample(fraction=1, shuffle=True, seed=1)
    again = mixed.select("id", reason=chosen.reject(mixed)).sort("id")["reason"]
    assert again.to_list() == reasons.to_list()
    assert 'records whose cluster is "' in str(reasons.drop_nulls()[0])


def test_more_clusters_than_rows_and_no_rows_at_all() -> None:
    few = far_apart(2, 2)
    assert Cap(most=1, per="cluster", clusters=50).reject(few).len() == 4
    assert Cap(most=1, per="cluster").reject(few.clear()).len() == 0
    assert len(set(cluster_of(few["embedding"].to_numpy(), 4).tolist())) <= 4


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "Field required"),
        ({"most": 0}, "greater than or equal to 1"),
        ({"most": 3, "per": "topic"}, "per is 'topic'; write source, kind, verb, verb_object, cluster, or meta."),
        ({"most": 3, "per": "meta.a b"}, "meta.topic"),
        ({"most": 3, "clusters": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Cap.model_validate(options)


@pytest.mark.real
def test_texts_are_embedded_for_clusters() -> None:
    texts = ["Write a poem about the sea.", "Write a poem about a lake.", "Fix this SQL query.", "Repair an SQL query."]
    chosen = Cap(most=1, per="cluster", clusters=2)
    chosen.check()
    reasons = chosen.reject(chosen.measure(to_table([Record.born(text) for text in texts])))
    assert sorted([reasons[:2].null_count(), reasons[2:].null_count()]) == [1, 1]
