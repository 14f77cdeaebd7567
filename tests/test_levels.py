"""More levels of quality than good and bad: where they are cut, how they are asked for, and what a recipe may say."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.pipelines.dataset.levels import FEWEST, levels_of
from tuneworks.pipelines.dataset.writing import write_dataset
from tuneworks.pipelines.recipe import QualityPrompts, parse_recipe
from tuneworks.trainers.rows import Levels, control, ordered, quality_reason, quality_rows, without_control
from tuneworks.trainers.rows.controls import Phrasing

RANKED = QualityPrompts(levels=4, phrasing="rank")


def record(number: int, rewards: list[float], **meta: object) -> Record:
    answers = [Answer(f"answer {number} {reward}", scores={"reward": reward}) for reward in rewards]
    return Record.born(f"Name a fish, number {number}.", answers=answers, meta=meta)


def cut(records: list[Record], options: QualityPrompts = RANKED) -> Levels:
    return levels_of(to_table(records).lazy(), options, np.ones(len(records), dtype=bool))


def test_levels_are_quantiles_of_equal_size() -> None:
    records = [record(n, [float(4 * n + k) for k in range(4)]) for n in range(50)]
    rows = list(quality_rows(records, cut(records, QualityPrompts(levels=4, phrasing="rank", uncontrolled=0))))
    counts = {level: sum(row["quality"] == level for row in rows) for level in "1234"}
    assert set(counts.values()) == {50}
    # The best quarter of 200 rewards is asked for as the first of four.
    best = [row for row in rows if row["completion"][0]["content"].endswith(" 199.0")]
    assert best[0]["control"] == "Give the answer that ranks 1 of 4."
    assert best[0]["prompt"][0] == {"role": "system", "content": best[0]["control"]}


def test_kinds_are_cut_apart_where_they_have_enough() -> None:
    many = [record(n, [float(n)], kind="sums") for n in range(FEWEST * 4)]
    strict = [record(1000 + n, [n / 1000], kind="poems") for n in range(FEWEST * 4)]
    few = [record(2000 + n, [50.0 + n], kind="jokes") for n in range(5)]
    found = cut([*many, *strict, *few])
    assert set(found.edges) == {"sums", "poems", ""}
    assert found.edges["poems"][-1] < 1 < found.edges["sums"][0]
    (best_poem,) = quality_rows([strict[-1]], found)
    assert best_poem["quality"] in ("4", "none")
    assert found.kinds[many[0].id] == "sums" and few[0].id not in found.kinds


def test_only_what_is_trained_on_decides() -> None:
    records = [record(n, [float(n)]) for n in range(100)]
    trained = np.arange(100) < 50
    assert levels_of(to_table(records).lazy(), RANKED, trained).edges[""][-1] < 50


def test_rewards_that_are_alike_share_a_level() -> None:
    records = [record(n, [float(n % 2)]) for n in range(100)]
    rows = list(quality_rows(records, cut(records, QualityPrompts(levels=5, phrasing="reward", uncontrolled=0))))
    assert len({row["quality"] for row in rows}) == 2


def test_an_answer_without_a_reward_has_no_level() -> None:
    bare = Record.born("Name a fish.", answers=[Answer("trout")])
    assert quality_reason(bare, Levels(3, "rank")) == "none of its answers carries a reward"
    assert list(quality_rows([bare], Levels(3, "rank"))) == []


@pytest.mark.parametrize(
    ("level", "levels", "phrasing", "language", "text"),
    [
        (2, 2, "good_bad", "en", "Give a good answer."),
        (5, 5, "rank", "en", "Give the answer that ranks 1 of 5."),
        (1, 5, "rank", "zh", "给出5个回答中排第5名的回答。"),
        (1, 5, "reward", "en", "Give an answer that scores 0 of 100."),
        (4, 5, "reward", "zh", "给出得75分的回答（满分100分）。"),
        (2, 2, "rank", "en", "Give the answer that ranks 1 of 2."),
    ],
)
def test_each_phrasing_asks_in_its_way(level: int, levels: int, phrasing: Phrasing, language: str, text: str) -> None:
    options = QualityPrompts(levels=levels, phrasing=phrasing)
    assert control(level, levels, options.phrasing, language) == text


def test_labels_are_ordered_and_controls_taken_off_again() -> None:
    assert ordered({"10", "2", "none", "1", "2 after 10"}) == ["1", "2", "10"]
    assert ordered(["good", "bad", "good after bad"]) == ["bad", "good"]
    asked = [{"role": "user", "content": "Hi"}]
    assert without_control([{"role": "system", "content": "Ask."}, *asked], "Ask.") == asked
    kept = [{"role": "system", "content": "Be short."}, *asked]
    assert without_control([{"role": "system", "content": "Be short.\nAsk."}, *asked], "Ask.") == kept
    assert without_control(kept, None) == kept


def test_hindsight_asks_for_both_answers_in_either_order() -> None:
    records = [record(n, [1.0, 0.0]) for n in range(40)]
    rows = [row for row in quality_rows(records, Levels(uncontrolled=0, hindsight=True)) if "after" in row["quality"]]
    assert len(rows) == 40
    assert {row["quality"] for row in rows} == {"good after bad", "bad after good"}
    for row in rows:
        last, _, first = row["quality"].split()
        assert row["prompt"][0]["content"] == f"Give a {first} answer."
        assert row["prompt"][-1] == {"role": "user", "content": f"Give a {last} answer."}
        assert row["prompt"][-2]["content"] != row["completion"][0]["content"]


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{levels: 5}", "good and bad are two levels, not 5; write phrasing: rank, or reward"),
        ("{levels: 1}", "quality.levels of the recipe cannot be 1"),
        ("{phrasing: stars}", "quality.phrasing of the recipe cannot be 'stars'"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_sentence(written: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        parse_recipe(f"name: a\nsources: {{mine: {{seeds: builtin}}}}\nquality: {written}\n", "r.yaml")


def test_the_manifest_says_where_levels_are_cut(tmp_path: Path) -> None:
    text = "name: a\nsources: {mine: {seeds: builtin}}\ndatasets: [quality]\nquality: {levels: 3, phrasing: reward}\n"
    records = [record(n, [float(n), n + 0.5]) for n in range(60)]
    write_dataset(records, parse_recipe(text, "r.yaml"), tmp_path / "dataset")
    told = (tmp_path / "dataset/manifest.json").read_text()
    assert '"phrasing": "reward"' in told and '"other kinds"' in told
    rows = pl.read_parquet(tmp_path / "dataset/quality/train.parquet")
    assert set(rows["quality"]) == {"1", "2", "3", "none"}
