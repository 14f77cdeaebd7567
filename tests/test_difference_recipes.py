"""Two recipes compared: keys by their path, stages by their kind."""

from pathlib import Path

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.release.recipes import Change, changes

BEFORE = """
name: run
seed: 0
stages:
- rouge: {max: 0.7}
- rules
- rouge: {max: 0.9}
datasets: [sft]
mix: {}
"""


def compared(folder: Path, before: str, after: str) -> tuple[Change, ...]:
    paths = folder / "before.yaml", folder / "after.yaml"
    for path, text in zip(paths, (before, after), strict=True):
        path.write_text(text, encoding="utf-8")
    return changes(*paths)


def test_keys_are_compared_one_by_one(tmp_path: Path) -> None:
    after = BEFORE.replace("seed: 0", "seed: 1").replace("0.9", "0.8").replace("[sft]", "[sft, 偏好]")
    assert compared(tmp_path, BEFORE, after) == (
        Change("seed", "0", "1"),
        Change("stages.rouge.2.max", "0.9", "0.8"),
        Change("datasets", '["sft"]', '["sft", "偏好"]'),
    )


def test_one_more_stage_renames_no_other(tmp_path: Path) -> None:
    after = BEFORE.replace("stages:\n", "stages:\n- length: {min_words: 3}\n")
    assert compared(tmp_path, BEFORE, after) == (Change("stages.length.min_words", None, "3"),)
    assert compared(tmp_path, after, BEFORE) == (Change("stages.length.min_words", "3", None),)


def test_an_option_left_out_and_null_are_two_things(tmp_path: Path) -> None:
    assert compared(tmp_path, "a: null\n", "b: 1\n") == (Change("a", "null", None), Change("b", None, "1"))


@pytest.mark.parametrize("text", ["a: [", "\x00"])
def test_what_is_no_yaml_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"after\.yaml is not YAML; put the one back"):
        compared(tmp_path, BEFORE, text)
