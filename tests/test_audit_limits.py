"""Limits of an audit: what they accept, and the sentences of the broken ones."""

import polars as pl
import pytest
from pydantic import ValidationError

from tuneworks.pipelines.audit.findings import Audit
from tuneworks.pipelines.audit.limits import AuditLimits, broken
from tuneworks.pipelines.audit.measures import measured
from tuneworks.pipelines.audit.pairs import PAIRS
from tuneworks.pipelines.audit.statistics import audit

LONG = "The river rises in the hills and flows past the mill to the sea."


def bad_audit() -> Audit:
    """Every limit at 0 is broken by it."""
    differ = "chosen and rejected answer different prompts: they part at turn 2"
    rows = [
        ("near", "p", LONG, LONG[:-2], -1.0, None, None),
        ("again", "p", LONG, LONG[:-2], 0.0, None, None),
        ("turned", "p", LONG[:-2], LONG, 1.0, None, None),
        ("refuses", "q", "I'm sorry, but I can't help with that.", "no", 1.0, None, None),
        ("differs", "r", "a", "b", None, None, differ),
    ]
    return audit(measured(pl.DataFrame(rows, schema=PAIRS, orient="row")))


def test_every_limit_can_be_broken_and_names_itself() -> None:
    names = list(AuditLimits.model_fields)
    limits = AuditLimits(**{name: 0.5 if name == "longer" else 0.0 for name in names})
    sentences = broken(bad_audit(), limits)
    assert len(sentences) == len(names)
    for name, sentence in zip(names, sentences, strict=True):
        assert f"or raise audit.{name}" in sentence and "\n" not in sentence


def test_a_sentence_says_the_number_the_limit_and_the_fix() -> None:
    (sentence,) = broken(bad_audit(), AuditLimits(refusals=0.1))
    assert sentence == (
        "the chosen answer declines the task in 25.00% of 4 pairs (1, such as refuses), "
        "and audit.refusals allows 10.00%; add refusal to the stages, or raise audit.refusals"
    )


def test_at_the_limit_nothing_is_broken_and_no_limit_looks_at_nothing() -> None:
    assert broken(bad_audit(), AuditLimits(refusals=0.25, differing_prompts=0.2)) == []
    assert broken(bad_audit(), AuditLimits()) == []


def test_no_pairs_break_nothing() -> None:
    nothing = audit(measured(pl.DataFrame(schema=PAIRS)))
    assert broken(nothing, AuditLimits(longer=0.5, ties=0)) == []


@pytest.mark.parametrize("given", [{"longer": 0.4}, {"ties": 1.5}, {"refusals": -0.1}, {"shorter": 0.5}])
def test_limits_are_shares(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        AuditLimits.model_validate(given)


def test_every_limit_is_described() -> None:
    assert all(option.description for option in AuditLimits.model_fields.values())
