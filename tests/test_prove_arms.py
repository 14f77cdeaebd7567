"""Arms of a run: who is in each, and that nobody in one gives a held-out row away."""

import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from proved_run import BAD, FILTERS, proved, tasks

from tuneworks.factory.errors import InputError
from tuneworks.filters.length import Length
from tuneworks.pipelines.proving.arms import Arms, arms_of, comes_back, held_out_rows, shuffled
from tuneworks.pipelines.proving.pool import Pool, pool_of


def made(
    folder: Path,
    wanted: list[str] | None = None,
    rows: list[dict[str, str]] | None = None,
    stages: str = FILTERS,
    last: str = "[]",
) -> tuple[Pool, Arms]:
    recipe = proved(folder, rows or tasks(), stages, last)
    pool = pool_of(recipe, folder)
    return pool, arms_of(pool, folder, wanted, recipe.seed)


def answers(rows: pl.DataFrame) -> list[str]:
    return [row[0]["content"] for row in rows["completion"]]


def asked(rows: pl.DataFrame) -> list[str]:
    return [row[-1]["content"] for row in rows["prompt"]]


def test_each_arm_holds_what_it_says(tmp_path: Path) -> None:
    pool, found = made(tmp_path / "run")
    arms = {arm.name: arm for arm in found.arms}
    assert list(arms) == ["kept", "random", "rejected", "shuffled", "without mine.length"]
    train = pl.read_parquet(tmp_path / "run/dataset/sft/train.parquet")
    assert arms["kept"].rows.equals(train)
    assert set(answers(arms["rejected"].rows)) == {BAD} and arms["rejected"].rows.height == 30
    both = sorted([*train["id"], *arms["rejected"].rows["id"]])
    for name in ("random", "without mine.length"):
        assert sorted(arms[name].rows["id"]) == both
    assert (arms["random"].draw, arms["without mine.length"].draw) == (train.height, None)
    held_out, _ = held_out_rows(pool.held_out, 200, 0)
    assert held_out.equals(pl.read_parquet(tmp_path / "run/dataset/sft/test.parquet"))
    assert found.notes == ["There is no arm without mine.exact_duplicates: that filter alone kept no row away."]


def test_every_shuffled_answer_is_anothers(tmp_path: Path) -> None:
    rows = pl.DataFrame({"prompt": list(range(40)), "completion": list(range(40))})
    for seed in range(20):
        found = shuffled(rows, random.Random(seed))
        assert found["prompt"].equals(rows["prompt"]) and (found["prompt"] != found["completion"]).all()
        assert sorted(found["completion"]) == list(range(40))


def test_nothing_rejected_gives_a_held_out_row_away(tmp_path: Path) -> None:
    """Each task comes a second time, a little longer, with an answer that goes: half of them are relatives."""
    rows = tasks(60)
    twins = [row | {"instruction": f"{row['instruction']} Now.", "output": BAD} for row in rows if row["output"] != BAD]
    pool, found = made(tmp_path / "run", rows=rows + twins)
    held_out, _ = held_out_rows(pool.held_out, 200, 0)
    assert held_out.height >= 8 and pool.relatives == held_out.height
    for arm in found.arms:
        starts = {text.removesuffix(" Now.") for text in asked(arm.rows)}
        assert not starts & set(asked(held_out))
    assert f"{pool.relatives} rejected records are left out, for they give held-out ones away." in found.notes


def test_what_comes_back_must_pass_the_later_filters(tmp_path: Path) -> None:
    """Of the records that `length` drops, the truncated ones would go at `rules` all the same, in the mixture."""
    rows = tasks(60)
    for row in [row for row in rows if row["output"] == BAD][:10]:
        row["output"] = "I cannot help with that, as I am only an AI language model and I have no body. " + BAD
    _, found = made(tmp_path / "run", rows=rows, stages="[{length: {max_answer_words: 10}}]", last="[self_reference]")
    arms = {arm.name: arm.rows for arm in found.arms}
    assert arms["without mine.length"].height == arms["kept"].height + 10
    assert arms["rejected"].height == 20


class Costly(Length):
    """Stands for a filter that runs a model to measure."""

    def asks_model(self) -> bool:
        return True


def test_a_filter_that_takes_a_model_does_not_judge_what_comes_back(tmp_path: Path) -> None:
    recipe = proved(tmp_path / "run", tasks(), "[{length: {max_answer_words: 10}}, {length: {max_answer_words: 9}}]")
    pool = pool_of(recipe, tmp_path / "run")
    first, (second, _) = pool.filters
    assert comes_back(first[0], pool, tmp_path / "run")[0].is_empty()
    costly = replace(pool, filters=[first, (second, Costly())])
    back, unjudged = comes_back(first[0], costly, tmp_path / "run")
    assert (back.height, unjudged) == (30, ["mine.length.2"])
    (note,) = arms_of(costly, tmp_path / "run", ["without mine.length"], 0).notes
    assert note == "mine.length.2: takes a model, so did not judge what comes back without mine.length."


def test_a_few_rejected_rows_do_not_set_the_budget_unless_named(tmp_path: Path) -> None:
    rows = [row | {"output": row["output"] if n % 30 == 0 else "red red"} for n, row in enumerate(tasks())]
    _, found = made(tmp_path / "run", rows=rows)
    assert "rejected" not in [arm.name for arm in found.arms]
    assert any(note.startswith("There is no arm rejected: 3 rows beside ") for note in found.notes)
    _, found = made(tmp_path / "run", ["rejected"], rows=rows)
    assert found.arms[1].rows.height == 3


def test_held_out_rows_are_drawn_alike_each_time(tmp_path: Path) -> None:
    pool, _ = made(tmp_path / "run")
    one, groups = held_out_rows(pool.held_out, 9, 3)
    assert one.height == len(groups) == 9
    assert one.equals(held_out_rows(pool.held_out, 9, 3)[0])
    assert not one.equals(held_out_rows(pool.held_out, 9, 4)[0])


def test_arms_are_picked_by_name_kind_or_all_filters(tmp_path: Path) -> None:
    _, found = made(tmp_path / "run", ["without length", "shuffled", "base"])
    assert [arm.name for arm in found.arms] == ["kept", "shuffled", "without mine.length"]
    _, found = made(tmp_path / "again", ["without"])
    assert [arm.name for arm in found.arms] == ["kept", "without mine.length"]


@pytest.mark.parametrize(
    ("wanted", "stages", "says"),
    [
        (["shufled"], FILTERS, "there is no arm 'shufled'; did you mean 'shuffled'"),
        (["without exact_duplicates"], FILTERS, "that filter alone kept no row away; leave it out of --arms"),
        (["rejected"], "[{length: {max_words: 200}}]", "no filter rejected a record with an answer; leave it out"),
        (None, "[]", "the run has no filter that could be proved; .*--arms kept,shuffled"),
        (["kept", "without"], "[]", "the run has no filter that could be proved"),
    ],
    ids=["misspelt", "an empty arm", "nothing rejected", "no filter", "no filter for these arms"],
)
def test_arms_that_cannot_be_made(tmp_path: Path, wanted: list[str] | None, stages: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        made(tmp_path / "run", wanted, stages=stages)


def test_a_run_without_filters_has_the_other_arms(tmp_path: Path) -> None:
    _, found = made(tmp_path / "run", ["kept", "shuffled"], stages="[]")
    assert [arm.name for arm in found.arms] == ["kept", "shuffled"]


def test_a_run_without_test_split_or_end(tmp_path: Path) -> None:
    recipe = proved(tmp_path / "run", tasks(), holdout=0)
    with pytest.raises(InputError, match=r"holds out no test split to measure on; set holdout: 0\.1"):
        pool_of(recipe, tmp_path / "run")
    (tmp_path / "run/03-mine-exact_duplicates/done.json").unlink()
    with pytest.raises(InputError, match=r"exact_duplicates of .* is not made; finish the run with: tuneworks build"):
        pool_of(recipe, tmp_path / "run")
