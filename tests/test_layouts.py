"""How an instruction and its input are laid out."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.language import Language
from tuneworks.factory.self_instruct.layouts import LAYOUTS, laid_out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_layout_says_both_once(language: Language) -> None:
    layouts = LAYOUTS[language]
    assert len(set(layouts)) == len(layouts) >= 6
    assert all(form.count("{instruction}") == form.count("{input}") == 1 for form in layouts)


def test_plain_is_one_layout() -> None:
    rng = random.Random(0)
    assert laid_out("Add.", "2, 3", "plain", rng) == "Add.\n\n2, 3"
    assert rng.getstate() == random.Random(0).getstate()


def test_varied_uses_all_of_the_instructions_language() -> None:
    rng = random.Random(0)
    for instruction, language in (("Add these.", "en"), ("把它们加起来。", "zh")):
        made = {laid_out(instruction, "2", "varied", rng) for _ in range(200)}
        layouts = LAYOUTS["en" if language == "en" else "zh"]
        assert made == {form.replace("{instruction}", instruction).replace("{input}", "2") for form in layouts}


@given(st.text(), st.text(min_size=1), st.integers())
def test_nothing_is_lost_whatever_braces_it_holds(instruction: str, given: str, seed: int) -> None:
    text = laid_out(instruction, given, "varied", random.Random(seed))
    assert instruction in text and given in text
    assert laid_out(instruction, "", "varied", random.Random(seed)) == instruction
