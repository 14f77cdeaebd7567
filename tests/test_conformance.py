"""The report on how our methods stand to the published ones: every claim is run, and the page says what is so."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.cli import app
from tuneworks.pipelines.conformance import CITED, METHODS, checked, chosen, page
from tuneworks.pipelines.conformance.rule import MEANS, Rule

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"
ALL = [(method, rule) for method, rules in METHODS.items() for rule in rules]


@pytest.mark.parametrize(
    ("method", "rule"), ALL, ids=lambda item: item if isinstance(item, str) else item.published[:40]
)
def test_what_is_claimed_is_so(method: str, rule: Rule) -> None:
    assert rule.holds is None or rule.holds(), f"{method}: {rule.published}"


def test_every_claim_has_a_check_and_every_difference_a_word_of_ours() -> None:
    assert set(METHODS) == set(CITED)
    for method, rule in ALL:
        where = f"{method}: {rule.published}"
        assert rule.status in MEANS, where
        assert (rule.holds is None) == (rule.status == "absent"), where
        assert rule.ours or rule.status in ("same", "absent"), where


def test_the_page_in_the_docs_is_the_report() -> None:
    assert PAGE.read_text() == page(METHODS), "write it anew: tuneworks conformance > docs/conformance.md"


def test_a_claim_that_is_not_so_is_found() -> None:
    rule = next(rule for _, rule in ALL if rule.holds)

    def needs_more() -> bool:
        raise ModuleNotFoundError("torch")

    found = checked({"a": [replace(rule, holds=lambda: False), replace(rule, holds=needs_more), rule]})
    assert found.held == 1 and found.broken == found.unchecked == [f"a: {rule.published}"]


def test_one_method_can_be_chosen() -> None:
    assert list(chosen("evol")) == ["Evol-Instruct"]
    with pytest.raises(InputError, match="there is no method 'evil'"):
        chosen("evil")


def test_the_command_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    app(["conformance", "best"], standalone_mode=False)
    out, err = capsys.readouterr()
    assert out == page(chosen("best")) and "checks hold, 0 do not." in err
