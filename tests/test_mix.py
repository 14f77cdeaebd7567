"""Mixing: which records of each source are taken, and how often."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filed_run import TASKS
from hypothesis import given
from hypothesis import strategies as st
from scripted_line import ScriptedLine
from test_run import built

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import RecipeError
from tuneworks.factory.formats import FORMATS
from tuneworks.pipelines.mixing.drawing import Drawn, drawn
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.mixing.page import explained
from tuneworks.pipelines.mixing.parts import mixture_made
from tuneworks.pipelines.recipe import Recipe, parse_recipe

SIZES = {"large": 50, "small": 4}


def facts(size: int, amounts: list[int] | None = None, **columns: list[Any]) -> pl.DataFrame:
    made = {"amount": amounts or [1] * size, "format": ["zero_shot"] * size, **columns}
    return pl.DataFrame(made, schema_overrides={"amount": pl.UInt32, "format": pl.Enum(FORMATS)})


def mixed(options: Mix, seed: int = 0, **sources: pl.DataFrame) -> dict[str, Drawn]:
    return drawn(sources or {name: facts(size) for name, size in SIZES.items()}, options, Dice(seed, "mix"))


def taken(options: Mix, **sources: pl.DataFrame) -> dict[str, int]:
    return {name: one.records for name, one in mixed(options, **sources).items()}


def test_the_cap_is_per_source_and_the_draw_says_why() -> None:
    made = mixed(Mix(cap=10))
    assert {name: one.records for name, one in made.items()} == {"large": 10, "small": 4}
    large = made["large"]
    assert large.reasons.drop_nulls().unique().to_list() == [
        "the source large gives 10 of its 50 records; the draw left it out"
    ]
    assert (large.reasons.is_null().to_numpy() == (large.times > 0)).all() and large.times.max() == 1


def test_the_draw_follows_the_seed_and_without_a_cap_all_stay() -> None:
    ways = [mixed(Mix(cap=10), seed)["large"].times.tolist() for seed in (0, 0, 1)]
    assert ways[0] == ways[1] != ways[2]
    assert taken(Mix()) == SIZES


def test_no_records_at_all() -> None:
    assert taken(Mix(cap=3), none=facts(0)) == {"none": 0}
    assert taken(Mix(size=3), none=facts(0), some=facts(9)) == {"none": 0, "some": 3}


def test_sources_are_drawn_by_their_quotas() -> None:
    assert taken(Mix(shares={"small": 0.5}, size=6)) == {"large": 3, "small": 3}


def test_records_are_taken_again_only_where_asked_and_as_evenly_as_can_be() -> None:
    assert taken(Mix(size=100)) == SIZES
    made = mixed(Mix(size=100, temperature=1e9, repeat=20))
    assert {name: one.records for name, one in made.items()} == {"large": 50, "small": 50}
    assert sorted(made["small"].times.tolist()) == [12, 12, 13, 13] and made["large"].times.tolist() == [1] * 50


def test_tokens_are_mixed_to_the_nearest_record() -> None:
    rng = np.random.default_rng(0)
    sources = {name: facts(200, rng.integers(5, 60, 200).tolist()) for name in ("a", "b")}
    made = mixed(Mix(by="tokens", size=4000, shares={"a": 0.25}), **sources)
    assert [one.quota.quota for one in made.values()] == [1000, 3000]
    for name, one in made.items():
        amounts = sources[name]["amount"].to_numpy()
        assert one.amount == int((one.times * amounts).sum()) and abs(one.amount - one.quota.quota) <= 30
    assert made["a"].quota.rows == int(sources["a"]["amount"].sum())


def test_a_group_that_holds_too_much_is_thinned_over_all_sources_before_they_are_shared_out() -> None:
    sources = {
        "a": facts(30, kind=["poem"] * 20 + [None] * 10),
        "b": facts(30, kind=["poem"] * 10 + ["list"] * 20),
    }
    made = mixed(Mix.model_validate({"most": {"kind": {"poem": 6}}}), **sources)
    poems = int(made["a"].times[:20].sum() + made["b"].times[:10].sum())
    assert poems == 6 and made["a"].times[20:].all() and made["b"].times[10:].all()
    assert made["a"].thinned + made["b"].thinned == 24
    assert made["a"].reasons.drop_nulls().unique().to_list() == [
        'of 30 records whose kind of task is "poem" 6 may be mixed; the draw left it out'
    ]
    assert made["a"].quota.rows == 30 - made["a"].thinned
    every = mixed(Mix.model_validate({"most": {"kind": 6}}), **sources)
    assert int(every["b"].times[10:].sum()) == 6


def test_formats_have_their_shares_in_each_source_as_far_as_it_has_them() -> None:
    forms = ["zero_shot"] * 60 + ["few_shot"] * 30 + ["zero_shot_cot"] * 10
    table = facts(100).with_columns(pl.Series("format", forms, dtype=pl.Enum(FORMATS)))
    options = Mix.model_validate({"size": 40, "formats": {"few_shot": 0.5}})
    assert mixed(options, s=table)["s"].formats == {"zero_shot": 17, "few_shot": 20, "zero_shot_cot": 3}
    scarce = Mix.model_validate({"size": 80, "formats": {"few_shot": 0.5}})
    assert mixed(scarce, s=table)["s"].formats == {"zero_shot": 43, "few_shot": 30, "zero_shot_cot": 7}
    none = Mix.model_validate({"formats": {"few_shot": 0}})
    assert "few_shot" not in mixed(none, s=table)["s"].formats


def test_each_phase_is_mixed_by_itself() -> None:
    phases = {"broad": {"sources": ["a", "b"], "size": 6}, "talk": {"sources": ["c"], "replay": 0.2}}
    sources = {name: facts(10) for name in "abc"}
    assert taken(Mix.model_validate({"phases": phases}), **sources) == {"a": 3, "b": 3, "c": 10}


@given(
    st.lists(st.lists(st.integers(1, 40), max_size=30), min_size=1, max_size=4),
    st.none() | st.integers(1, 400),
    st.integers(1, 3),
    st.floats(0.5, 8),
)
def test_no_source_gives_more_than_asked_of_it(
    amounts: list[list[int]], size: int | None, repeat: int, temperature: float
) -> None:
    sources = {str(n): facts(len(one), one) for n, one in enumerate(amounts)}
    options = Mix(by="tokens", size=size, repeat=repeat, temperature=temperature)
    for name, one in mixed(options, **sources).items():
        assert one.times.max(initial=0) <= repeat
        largest = max(amounts[int(name)], default=0)
        assert abs(one.amount - one.quota.quota) <= largest / 2 or one.amount == one.quota.quota


RECIPE = """name: mixed
sources:
  a:
    file: {a}
    licence: cc-by-4.0
  b:
    file: {b}
mix: {mix}
datasets: [sft]
holdout: 0
"""


def mixed_run(folder: Path, mix: str, a: int = 6, b: int = 3) -> tuple[Recipe, Path]:
    folder.mkdir(exist_ok=True)
    for name, count in (("a", a), ("b", b)):
        rows = [{"instruction": f"{TASKS[n % 6]} {name} {n}", "output": f"Done {n}."} for n in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = parse_recipe(RECIPE.format(a=folder / "a.jsonl", b=folder / "b.jsonl", mix=mix), "r.yaml")
    recipe = recipe.model_copy(update={"engine": ScriptedLine()})
    built(recipe, folder / "run")
    return recipe, folder / "run"


def test_a_run_keeps_what_each_source_gave_and_copies_name_their_original(tmp_path: Path) -> None:
    recipe, folder = mixed_run(tmp_path, "{temperature: 1000, repeat: 3}")
    options, sources = mixture_made(recipe, folder)
    assert options == recipe.mix
    assert [(one.source, one.held, one.records, one.epochs) for one in sources] == [("a", 6, 9, 1.5), ("b", 3, 9, 3.0)]
    table = pl.read_parquet(folder / "03-mix/records.parquet")
    assert table.height == 18 and table["id"].n_unique() == 18
    copies = table.filter(pl.col("meta").str.contains('"copy"'))
    assert copies.height == 9 and set(copies["parents"].list.first()) <= set(table["id"])
    assert copies["meta"].str.json_path_match("$.copy").value_counts().sort("meta").rows() == [("2", 6), ("3", 3)]
    assert pl.read_parquet(folder / "dataset/sft/train.parquet").height == 18


def test_what_is_left_out_is_rejected_with_its_reason_and_licences_can_be_limited(tmp_path: Path) -> None:
    _, folder = mixed_run(tmp_path, "{most: {licence: {cc-by-4.0: 2}}}")
    kept = pl.read_parquet(folder / "03-mix/records.parquet")
    assert sorted(kept["source"]) == ["a", "a", "b", "b", "b"]
    gone = pl.read_parquet(folder / "03-mix/rejected.parquet")
    assert set(gone["reason"]) == {'of 6 records whose licence is "cc-by-4.0" 2 may be mixed; the draw left it out'}


@pytest.mark.real
def test_a_run_is_mixed_by_the_tokens_of_a_real_model(tmp_path: Path) -> None:
    recipe, folder = mixed_run(tmp_path, "{by: tokens, size: 60}")
    _, sources = mixture_made(recipe, folder)
    assert sum(one.quota for one in sources) == 60 and all(one.counts > one.held * 5 for one in sources)
    assert all(abs(one.amount - one.quota) <= 10 for one in sources)


def test_every_number_is_explained(tmp_path: Path) -> None:
    recipe, folder = mixed_run(tmp_path, "{temperature: 2, cap: 5, size: 6}")
    options, sources = mixture_made(recipe, folder)
    assert explained(sources[0], options) == [
        "it has 6 records",
        "it counts as 5: capped at 5",
        "its rate is 56.4%: its share of the sum over all sources, 5 ** (1/2)",
        "its quota is 3 records: its rate of the whole, in whole numbers by the largest remainder",
        "it is gone through 0.50 times: 3 records",
    ]
    assert "it gives all it has, once; what it lacks, the others give by their rates" in explained(sources[1], options)


def test_a_share_of_a_format_that_is_not_there_is_told(tmp_path: Path) -> None:
    recipe, folder = mixed_run(tmp_path, "{size: 4, formats: {few_shot: 0.5}}")
    options, sources = mixture_made(recipe, folder)
    assert "50% of few_shot was wanted; it has no more than 0 to give" in explained(sources[0], options)


@pytest.mark.parametrize(
    ("mix", "sentence"),
    [
        ("{cap: 0}", "cap"),
        ("{shares: {a: 0.7, b: 0.6}}", "the shares of mix add up to 1.3; lower them to 1 or less"),
        ("{shares: {c: 0.1}}", "mix names 'c', which is no source of the mixture; there are: a, b"),
        ("{shares: {a: 1.2}}", "less than or equal to 1"),
        ("{formats: {few_shot: 0.7, zero_shot: 0.7}}", "the formats of mix add up to 1.4"),
        ("{most: {kind: 0}}", "greater than or equal to 1"),
        ("{most: {difficulty: 5}}", "nothing measures that of the source a; add perplexity to its stages"),
        ("{phases: {x: {sources: [a]}}}", "the source b is in no phase of mix; add it to one"),
        (
            "{phases: {x: {sources: [a, b]}, y: {sources: [b]}}}",
            "the source b is in the phases x and y; keep it in one",
        ),
        ("{phases: {x: {sources: [a, b], replay: 0.1}}}", "the phase x is the first one and has nothing to replay"),
        ("{phases: {test: {sources: [a, b]}}}", "a phase cannot be called 'test'"),
        ("{size: 5, phases: {x: {sources: [a, b]}}}", "mix has both a size and phases; give each phase its own size"),
    ],
)
def test_a_mistake_is_one_sentence(mix: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=r"r\.yaml") as raised:
        parse_recipe(RECIPE.format(a="a.jsonl", b="b.jsonl", mix=mix), "r.yaml")
    assert sentence in str(raised.value) and "\n" not in str(raised.value)
