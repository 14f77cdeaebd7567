"""Two releases compared: rows, splits, columns, recipes and what has shifted."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from scripted_line import scripted_recipe
from test_dataset import records

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Record
from tuneworks.pipelines.dataset import write_dataset
from tuneworks.pipelines.release import contents
from tuneworks.pipelines.release.difference import Compared, Difference, difference
from tuneworks.pipelines.release.difference_page import show
from tuneworks.pipelines.release.shifts import Shift
from tuneworks.trainers.rows import VIEWS


def written(folder: Path, held: list[Record], recipe: str = "name: run\nseed: 0\n") -> Path:
    """A run's folder, as far as two releases are compared by it."""
    folder.mkdir()
    write_dataset(held, scripted_recipe(), folder / "dataset")
    (folder / "recipe.yaml").write_text(recipe)
    return folder


def table(folder: Path, configuration: str, split: str = "train") -> pl.DataFrame:
    return pl.read_parquet(folder / "dataset" / configuration / f"{split}.parquet")


def put(folder: Path, configuration: str, rows: pl.DataFrame, split: str = "train") -> None:
    rows.write_parquet(folder / "dataset" / configuration / f"{split}.parquet")


def of(found: Difference, configuration: str) -> Compared:
    return next(compared for compared in found.configurations if compared.configuration == configuration)


def page(found: Difference) -> str:
    file = io.StringIO()
    show(Console(file=file, width=200), found)
    return file.getvalue()


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    one = written(tmp_path / "one", records(30))
    shutil.copytree(one, tmp_path / "two")
    return one, tmp_path / "two"


def test_a_copy_is_equal(two: tuple[Path, Path]) -> None:
    found = difference(*map(str, two))
    assert found.equal and found == replace(difference("one", "two", two[0].parent))
    assert all(compared.same == compared.rows[0] == compared.rows[1] > 0 for compared in found.configurations)
    assert "The same rows in the same splits, made by the same recipe." in page(found)


def test_rows_added_removed_changed_and_moved(two: tuple[Path, Path]) -> None:
    one, other = two
    train, test = table(one, "preference"), table(one, "preference", "test")
    kept, left = train.slice(3), train.head(1)
    changed = kept.with_columns(margin=pl.when(pl.int_range(pl.len()) < 2).then(7.0).otherwise("margin"))
    new = left.with_columns(id=pl.lit("new"))
    put(other, "preference", pl.concat([changed, new]))
    put(other, "preference", pl.concat([test, train.slice(1, 1).with_columns(margin=pl.lit(9.0))]), "test")
    found = of(difference(str(one), str(other)), "preference")
    assert (dict(found.removed), dict(found.added)) == ({"train": 2}, {"train": 1})
    assert found.changed == 3 and dict(found.columns) == {"margin": 3}
    assert dict(found.moved) == {("train", "test"): 1}
    assert found.same == kept.height - 2 + test.height and found.key == ("id",)
    assert [e.id for e in found.examples["added"]] == ["new"]
    assert [e.id for e in found.examples["moved"]] == [train["id"][1]]
    assert {e.id for e in found.examples["removed"]} == {train["id"][0], train["id"][2]}
    said = train["prompt"][0][-1]["content"].replace("\n\n", " ")
    assert found.examples["added"][0].text == said and found.examples["added"][0].split == "train"
    backwards = of(difference(str(other), str(one)), "preference")
    assert (backwards.removed, backwards.added, backwards.changed) == (found.added, found.removed, 3)
    assert dict(backwards.moved) == {("test", "train"): 1}


def test_several_rows_of_an_id_are_told_by_their_completion(two: tuple[Path, Path]) -> None:
    one, other = two
    train = table(one, "quality")
    assert train["id"].is_duplicated().any()
    put(other, "quality", train.with_columns(quality=pl.lit("none")).sample(fraction=1.0, shuffle=True, seed=1))
    found = of(difference(str(one), str(other)), "quality")
    assert found.key == ("id", "completion")
    assert (found.removed, found.added, found.moved) == ({}, {}, {})
    assert dict(found.columns) == {"quality": train.filter(pl.col("quality") != "none").height}


def test_copies_of_a_row_are_counted(two: tuple[Path, Path]) -> None:
    one, other = two
    train = table(one, "sft")
    put(other, "sft", pl.concat([train, train.head(2), train.head(1)]))
    found = of(difference(str(one), str(other)), "sft")
    assert (dict(found.added), dict(found.removed), found.changed) == ({"train": 3}, {}, 0)


def test_a_row_may_be_in_several_splits(two: tuple[Path, Path]) -> None:
    one, other = two
    for folder in two:
        put(folder, "sft", table(folder, "sft").head(5), "second")
    assert difference(str(one), str(other)).equal
    put(other, "sft", table(other, "sft").head(4), "second")
    assert dict(of(difference(str(one), str(other)), "sft").removed) == {"second": 1}


def test_a_configuration_of_one_alone_is_all_added_or_removed(two: tuple[Path, Path]) -> None:
    one, other = two
    shutil.rmtree(other / "dataset" / "quality")
    rows = sum(table(one, "quality", split).height for split in ("train", "test"))
    found = of(difference(str(one), str(other)), "quality")
    assert found.rows == (rows, 0) and sum(found.removed.values()) == rows and not found.added
    found = of(difference(str(other), str(one)), "quality")
    assert found.rows == (0, rows) and sum(found.added.values()) == rows and not found.removed


def test_columns_of_one_alone_are_named_and_not_compared(two: tuple[Path, Path]) -> None:
    one, other = two
    for split in ("train", "test"):
        put(other, "sft", table(one, "sft", split).with_columns(note=pl.lit("x")), split)
        put(other, "preference", table(one, "preference", split).drop("margin"), split)
    found = difference(str(one), str(other))
    sft, preference = of(found, "sft"), of(found, "preference")
    assert (sft.columns_new, sft.columns_gone, sft.changed) == (("note",), (), 0)
    assert (preference.columns_gone, preference.same) == (("margin",), preference.rows[0])
    assert not found.equal and "columns gone  margin" in page(found)


def test_rows_without_ids_are_told_by_all_they_hold(two: tuple[Path, Path]) -> None:
    one, other = two
    rows = pl.DataFrame({"text": ["a", "b", "c"]})
    for folder, held in ((one, rows), (other, rows.tail(2))):
        (folder / "dataset" / "texts").mkdir()
        put(folder, "texts", held)
    found = of(difference(str(one), str(other)), "texts")
    assert (found.key, found.same, dict(found.removed), found.examples["removed"]) == (("text",), 2, {"train": 1}, ())


def test_recipes_are_compared_where_both_are_at_hand(two: tuple[Path, Path]) -> None:
    one, other = two
    (other / "recipe.yaml").write_text("name: run\nseed: 1\nholdout: 0.2\n")
    found = difference(str(one), str(other))
    assert [change.key for change in found.recipe] == ["seed", "holdout"] and not found.equal
    assert "seed: 0 -> 1" in page(found) and "holdout: 0.2 is new" in page(found)
    (other / "recipe.yaml").unlink()
    alone = difference(str(one), str(other))
    assert alone.recipe == () and alone.without_recipe == (str(other / "dataset"),) and alone.equal
    assert "no recipe to compare" in page(alone)


def test_what_shifts_is_told(tmp_path: Path) -> None:
    longer = [
        r.with_answers(Answer(a.text + " and so on", a.by, {"reward": 2 * a.scores["reward"]}) for a in r.answers)
        for r in records(30)
    ]
    one, other = written(tmp_path / "one", records(30)), written(tmp_path / "two", longer)
    found = difference(str(one), str(other))
    assert Shift("preference", "mean margin", 1.0, 2.0) in found.shifts
    assert Shift("sft", "median words of completion", 2.0, 5.0) in found.shifts
    assert Shift("sft", "median words of prompt", 4.0, 4.0) in found.shifts
    shown = [line.split() for line in page(found).splitlines()]
    assert ["preference", "mean", "margin", "1", "2"] in shown
    assert not any(line[:5] == ["sft", "median", "words", "of", "prompt"] for line in shown)


def test_every_configuration_of_a_dataset_is_compared(tmp_path: Path) -> None:
    recipe = scripted_recipe().model_copy(update={"datasets": tuple(VIEWS)})
    for name, held in (("one", records(30)), ("two", records(27))):
        write_dataset(held, recipe, tmp_path / name)
    found = difference(str(tmp_path / "one"), str(tmp_path / "two"))
    assert {compared.configuration for compared in found.configurations} == set(VIEWS)
    for compared in found.configurations:
        assert compared.changed == 0 and not compared.added, compared.configuration
        assert compared.rows[0] - compared.rows[1] == sum(compared.removed.values()) > 0
    assert of(found, "unpaired").key == ("id", "completion")


def test_slices_do_not_show(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = two
    put(other, "sft", table(one, "sft").slice(2).reverse())
    whole = difference(str(one), str(other))
    monkeypatch.setattr(contents, "SLICE", 4)
    assert difference(str(one), str(other)) == whole


def test_what_cannot_be_read_is_told_in_a_sentence(two: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = two
    path = other / "dataset" / "sft" / "train.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(InputError, match=r"train.parquet cannot be read \(.*tuneworks verify"):
        difference(str(one), str(other))
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(InputError, match=r"train.parquet cannot be read \(.*tuneworks verify"):
        difference(str(one), str(other))
    path.write_bytes(whole)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no Parquet files by configuration"):
        difference(str(one), str(tmp_path / "empty"))
    put(one, "sft", pl.DataFrame({"a": [1]}))
    put(other, "sft", pl.DataFrame({"b": [1]}))
    with pytest.raises(InputError, match="no column of sft in common"):
        difference(str(one), str(other))


ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xy")), max_size=8)
RELEASE = st.fixed_dictionaries({"train": ROWS, "test": ROWS})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RELEASE, RELEASE)
def test_every_row_of_both_is_accounted_for_once(
    tmp_path_factory: pytest.TempPathFactory, a: dict[str, list[tuple[str, str]]], b: dict[str, list[tuple[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("releases")
    for name, release in (("a", a), ("b", b)):
        (folder / name / "sft").mkdir(parents=True)
        for split, rows in release.items():
            schema = {"id": pl.String(), "text": pl.String()}
            pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / name / "sft" / f"{split}.parquet")
    found = of(difference(str(folder / "a"), str(folder / "b")), "sft")
    moved, gone, new = (sum(counts.values()) for counts in (found.moved, found.removed, found.added))
    assert found.rows == (sum(map(len, a.values())), sum(map(len, b.values())))
    changed_in_place = found.rows[0] - gone - moved - found.same
    assert 0 <= changed_in_place <= found.changed <= changed_in_place + moved
    assert found.rows[1] - new == found.rows[0] - gone
    if sorted(a["train"]) == sorted(b["train"]) and sorted(a["test"]) == sorted(b["test"]):
        same_order = all(a[split] == b[split] for split in a)
        assert found.equal or not same_order
