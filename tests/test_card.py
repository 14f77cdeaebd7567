"""The card of a dataset: what it tells of a run, and that the Hub's own reader takes it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripted_line import RECIPE, ScriptedLine, scripted_recipe
from test_run import built

from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import InputError
from tuneworks.pipelines.card.terms import restrictions
from tuneworks.pipelines.recipe import Recipe, parse_recipe

LICENSED = """
name: licensed
sources:
  free: {file: free.jsonl, licence: apache-2.0}
  mine: {file: mine.jsonl}
  bought: {hub: acme/bought, licence: cc-by-nc-4.0}
  made: {seeds: builtin, stages: [answer]}
"""


def card_of(recipe: Recipe, folder: Path) -> tuple[dict[str, Any], str]:
    built(recipe, folder)
    text = (folder / "dataset/README.md").read_text()
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_a_card_tells_how_the_dataset_was_made_and_what_it_is_like(tmp_path: Path) -> None:
    front, body = card_of(scripted_recipe(), tmp_path / "run")
    assert front["license"] == "apache-2.0" and front["language"] == ["en"] and front["size_categories"] == ["n<1K"]
    assert set(front["tags"]) >= {"synthetic", "sft", "preference"}
    counts = json.loads((tmp_path / "run/dataset/manifest.json").read_text())["rows"]
    assert f"| `sft` | train | {counts['sft']['train']} |" in body
    for part in (
        "made.self_instruct",
        "arxiv.org/abs/2212.10560",
        "words of the prompt",
        "Models were asked",
        "seeds: builtin",
    ):
        assert part in body, part
    assert str(tmp_path) not in body
    assert "Answers were marked by the model that wrote them" in body


def test_a_card_of_files_alone_asks_nobody_and_names_the_file_alone(tmp_path: Path) -> None:
    rows = [json.dumps({"instruction": f"Name {n} fish.", "output": "Trout."}) for n in range(9)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    text = f"name: filed\nsources: {{mine: {{file: {tmp_path / 'rows.jsonl'}}}}}\ndatasets: [sft]\n"
    front, body = card_of(parse_recipe(text, "r.yaml").model_copy(update={"engine": ScriptedLine()}), tmp_path / "run")
    assert front["license"] == "unknown" and "synthetic" not in front["tags"]
    assert "No model was asked." in body and "the file rows.jsonl" in body and str(tmp_path) not in body
    assert "The licence of the source `mine` is not known" in body


def test_terms_that_restrict_are_told_source_by_source_and_model_by_model() -> None:
    recipe = parse_recipe(LICENSED, "r.yaml")
    said = restrictions(recipe.model_copy(update={"engine": OpenAI(model="gpt-4.1-mini")}))
    assert said == [
        "The licence of the source `mine` is not known; see to it before the dataset is used or shared.",
        "The licence of the source `bought`, cc-by-nc-4.0, forbids commercial use.",
        "Text was written by `gpt-4.1-mini`. The terms of OpenAI do not allow the output to be used to develop "
        "competing models; read them before training on it.",
    ]
    free = recipe.model_copy(update={"engine": OpenAI(model="openai/gpt-oss-20b", base_url="http://localhost:1/v1")})
    assert not any("written by" in sentence for sentence in restrictions(free))


def test_the_card_is_the_same_when_a_run_is_built_again_from_its_journal(tmp_path: Path) -> None:
    recipe = scripted_recipe()
    card_of(recipe, tmp_path / "run")
    before = (tmp_path / "run/dataset/README.md").read_bytes()
    for step in (tmp_path / "run").glob("0*"):
        shutil.rmtree(step)
    shutil.rmtree(tmp_path / "run/dataset")
    card_of(recipe, tmp_path / "run")
    assert (tmp_path / "run/dataset/README.md").read_bytes() == before


def test_pairs_over_a_limit_of_the_audit_stop_the_build_and_a_higher_limit_goes_on(tmp_path: Path) -> None:
    pair = {"prompt": "Name a fish.", "chosen": "A trout, which is a fish that swims.", "rejected": "Trout"}
    rows = [json.dumps({**pair, "prompt": f"Name fish {n} of the list."}) for n in range(20)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))

    def recipe(most: float) -> Recipe:
        text = f"name: p\nsources: {{a: {{file: {tmp_path / 'pairs.jsonl'}}}}}\naudit: {{longer: {most}}}\n"
        return parse_recipe(text, "r.yaml").model_copy(update={"engine": ScriptedLine()})

    with pytest.raises(
        InputError, match=r"the chosen answer is the longer one in 100.00% of 20 pairs.*raise audit.longer"
    ):
        built(recipe(0.6), tmp_path / "run")
    assert not (tmp_path / "run/dataset").exists()
    built(recipe(1.0), tmp_path / "run")
    manifest = json.loads((tmp_path / "run/dataset/manifest.json").read_text())
    assert manifest["audit"]["characters"]["longer"]["share"] == 1.0
    assert "100.0%" in (tmp_path / "run/dataset/README.md").read_text()


def test_a_dataset_whose_records_changed_is_written_again_though_its_build_was_stopped(tmp_path: Path) -> None:
    """Killed after the last step and before the dataset: the old one is not taken for the new one."""
    changed = scripted_recipe(RECIPE.replace("cap: 10", "cap: 6"))
    built(scripted_recipe(), tmp_path / "run")
    shutil.copytree(tmp_path / "run/dataset", tmp_path / "old")
    rows = built(changed, tmp_path / "run", True).rows
    shutil.rmtree(tmp_path / "run/dataset")
    shutil.copytree(tmp_path / "old", tmp_path / "run/dataset")
    again = built(changed, tmp_path / "run")
    assert again.changed and again.rows == rows and sum(rows["sft"].values()) <= 6
    assert not built(changed, tmp_path / "run").changed


@pytest.mark.real
def test_the_hubs_own_reader_takes_the_card(tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    card_of(scripted_recipe(), tmp_path / "run")
    held = DatasetCard.load(tmp_path / "run/dataset/README.md").data
    assert held.license == "apache-2.0" and held.pretty_name == "scripted"
    assert [config["config_name"] for config in held.to_dict()["configs"]] == ["sft", "preference", "quality"]
