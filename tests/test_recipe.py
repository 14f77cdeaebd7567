"""Recipes: what is accepted, and the sentence each mistake gets."""

import pytest
import yaml

from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.errors import RecipeError
from tuneworks.factory.judge import Judge
from tuneworks.pipelines.recipe import builtin_recipes, load_recipe, parse_recipe, written

GOOD = """name: mine
sources:
  made:
    seeds: builtin
    stages:
      - self_instruct: {target: 8}
      - best_of_n: {n: 2, reward: judge}
      - rouge
train:
  - sft: {args: {max_steps: 2}}
"""


def test_every_default_is_filled_in_and_survives_writing() -> None:
    recipe = parse_recipe(GOOD, "r.yaml")
    assert recipe.engine == Transformers()
    assert parse_recipe(written(recipe), "again.yaml") == recipe
    data = yaml.safe_load(written(recipe))
    assert data["sources"]["made"]["stages"][1]["best_of_n"]["reward"] == {"judge": {"engine": None, "prompts": None}}
    assert data["holdout"] == {"test": 0.1, "validation": 0.0}


@pytest.mark.parametrize("name", builtin_recipes())
def test_built_in_recipes_are_good(name: str) -> None:
    assert load_recipe(name).name == name


def test_engines_may_be_named_by_model_or_in_full() -> None:
    assert parse_recipe(GOOD + "engine: smollm2\n", "r").engine == Transformers()
    assert parse_recipe(GOOD + "engine: org/model\n", "r").engine == Transformers(model="org/model")
    spec = "engine: {openai: {model: m, base_url: 'http://localhost:1/v1'}}\n"
    assert parse_recipe(GOOD + spec, "r").engine == OpenAI(model="m", base_url="http://localhost:1/v1")


def test_a_reward_is_built_from_its_name() -> None:
    best = parse_recipe(GOOD, "r").sources["made"].stages[1]
    assert isinstance(best.model_dump() and getattr(best, "reward", None), Judge)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("rouge", "rogue"), r"r\.yaml, line 8: there is no generator or filter 'rogue'; did you mean 'rouge'\?"),
        (("target: 8", "targt: 8"), r"line 6: self_instruct has no option 'targt'; did you mean 'target'\?"),
        (
            ("target: 8", "target: many"),
            r"line 6: target of self_instruct cannot be 'many': it must be a valid integer",
        ),
        (("target: 8", "target: 0"), r"line 6: target of self_instruct cannot be 0: it must be greater than"),
        (("reward: judge", "reward: jugde"), r"line 7: there is no reward 'jugde'; did you mean 'judge'\?"),
        (("reward: judge", "reward: {judge: {marks: 3}}"), r"line 7: judge has no option 'marks'"),
        (("    seeds: builtin\n", ""), r"line 3: a source has either seeds, a file or hub"),
        (("name: mine\n", ""), r"the recipe needs 'name'; add it"),
        (("name: mine", "name: a/b"), r"line 1: name of the recipe cannot be 'a/b'"),
        (("sources:", "sorces:"), r"line 2: the recipe has no option 'sorces'; did you mean 'sources'\?"),
        (("  - sft:", "  - sft2:"), r"line 10: there is no trainer 'sft2'; did you mean 'sft'\?"),
        (("name: mine", "name: mine\nname: other"), r"line 2: name is written twice; remove one"),
        (("name: mine", "name: [mine"), r"this is not YAML: .*; correct it"),
        (("  - sft: {args", "  - dpo: {args"), None),
        (("train:", "datasets: [preference]\ntrain:"), r"sft trains on the dataset sft; add it to datasets"),
        (("train:\n  - sft", "train:\n  sft"), r"train is a list; begin each entry with '- '"),
        (("name: mine", "name: mine\nengine: smolm2"), r"line 2: there is no engine or model 'smolm2'; did you mean"),
        (("name: mine", "name: mine\nengine: {openai: {}}"), r"line 2: openai needs 'model'; add it"),
        (
            ("name: mine", "name: mine\nmix: {shares: {mad: 0.5}}"),
            r"mix names .mad., which is no source of the mixture; did",
        ),
        (("name: mine", "name: mine\nmix: {shares: {made: 1.5}}"), r"line 2: .*made of the recipe cannot be 1.5"),
        (
            ("name: mine", "name: mine\nmix: {temprature: 2}"),
            r"line 2: .*no option 'mix.temprature'; did you mean 'mix.temp",
        ),
        (("name: mine", "name: mine\nmix: {cap: 0}"), r"line 2: mix.cap of the recipe cannot be 0: it must be greater"),
        (("name: mine", "name: mine\nlimits: {usd: -1}"), r"line 2: limits.usd of the recipe cannot be -1: it must be"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(change: tuple[str, str], sentence: str | None) -> None:
    assert change[0] in GOOD
    text = GOOD.replace(*change)
    if sentence is None:
        parse_recipe(text, "r.yaml")
        return
    with pytest.raises(RecipeError, match=sentence) as raised:
        parse_recipe(text, "r.yaml")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "just words", "3"])
def test_what_is_no_recipe_at_all(text: str) -> None:
    with pytest.raises(RecipeError, match="a recipe is a mapping"):
        parse_recipe(text, "r.yaml")


def test_names_of_recipes() -> None:
    with pytest.raises(RecipeError, match="did you mean 'quickstart'"):
        load_recipe("quikstart")
    with pytest.raises(RecipeError, match=r"there is no file nowhere\.yaml; write one with: tuneworks init"):
        load_recipe("nowhere.yaml")
