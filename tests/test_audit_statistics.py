"""What an audit counts: planted findings, and properties that hold whatever the pairs are."""

import random
from collections.abc import Sequence
from dataclasses import fields, replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.pipelines.audit.findings import Audit, Finding
from tuneworks.pipelines.audit.measures import measured
from tuneworks.pipelines.audit.pairs import PAIRS, Pair
from tuneworks.pipelines.audit.statistics import REPEATED, audit

PLAIN = Pair("", "user\nWhy?", "chosen text", "rejected", None, None, None)
LONG = "The river rises in the hills and flows past the mill to the sea."
REFUSES = "I'm sorry, but I can't help with that."


def audit_of(*pairs: Pair) -> Audit:
    """Ids by place where none is given; prompts apart unless they are set."""
    named = [
        pair._replace(id=pair.id or str(n), prompt=f"user\nWhy {n}?" if pair.prompt == PLAIN.prompt else pair.prompt)
        for n, pair in enumerate(pairs)
    ]
    return audit(measured(pl.DataFrame(named, schema=PAIRS, orient="row")))


def some(count: int) -> list[Pair]:
    return [PLAIN._replace(chosen=f"chosen text {n}") for n in range(count)]


def counts(found: Audit) -> dict[str, int]:
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    return {name: value.count for name, value in values.items() if isinstance(value, Finding) and value.count}


PLANTED: dict[str, Sequence[Pair]] = {
    "near_identical": [PLAIN._replace(chosen=LONG, rejected=LONG.replace("mill", "mall"))],
    "duplicate_prompts": [PLAIN._replace(prompt="p"), PLAIN._replace(prompt="p", chosen="another")],
    "reversed": [PLAIN._replace(margin=-0.5), PLAIN._replace(probability=0.25)],
    "uncertain": [PLAIN._replace(probability=0.55)],
    "ties": [PLAIN._replace(margin=0.0), PLAIN._replace(probability=0.5)],
    "refusals_chosen": [PLAIN._replace(chosen=REFUSES)],
    "refusals_rejected": [PLAIN._replace(rejected=REFUSES)],
    "repeated_chosen": [PLAIN._replace(chosen="What?")] * REPEATED,
    "identical": [PLAIN._replace(chosen="a  b", rejected="a b", aside="its answers are the same text")],
    "empty": [PLAIN._replace(chosen="", aside="the chosen answer is empty")],
    "differing_prompts": [PLAIN._replace(aside="chosen and rejected answer different prompts: they part at turn 2")],
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_finding_is_found_and_nothing_else(name: str) -> None:
    planted = PLANTED[name]
    found = audit_of(*some(4), *planted)
    assert counts(found) == {name: 1 if name == "duplicate_prompts" else len(planted)}
    finding: Finding = getattr(found, name)
    first = 5 if name == "duplicate_prompts" else 4
    assert finding.examples[0] == str(first)
    assert finding.of == 4 + len(planted) and finding.share == finding.count / finding.of


def test_a_pair_again_is_a_duplicate_and_turned_round_a_contradiction() -> None:
    pair = PLAIN._replace(prompt="p", chosen="left", rejected="right")
    again, turned = pair._replace(chosen=" left\n"), pair._replace(chosen="right", rejected="left")
    assert counts(audit_of(*some(3), pair, again)) == {"duplicate_prompts": 1, "duplicate_pairs": 1}
    assert counts(audit_of(*some(3), pair, turned)) == {"duplicate_prompts": 1, "contradictory": 2}
    elsewhere = turned._replace(prompt="q")
    assert counts(audit_of(*some(3), pair, elsewhere)) == {}


def test_the_same_text_twice_contradicts_nothing() -> None:
    same = PLAIN._replace(prompt="p", chosen="a", rejected="a")
    assert audit_of(same, same).contradictory.count == 0


def test_what_was_set_aside_is_no_pair_and_what_has_no_answers_is_not_seen() -> None:
    aside = PLAIN._replace(chosen="a very much longer answer", aside="the margin of 0.125 is under 0.5")
    also = aside._replace(aside="the margin of 0.25 is under 0.5")
    unpaired = PLAIN._replace(chosen=None, rejected=None, aside="1 of its answers carry a reward, and a pair needs 2")
    found = audit_of(*some(2), aside, also, unpaired)
    assert (found.seen, found.pairs, found.unpaired) == (4, 2, 1)
    assert found.characters.longer.of == 2
    assert found.aside == {
        "the margin of # is under #": 2,
        "# of its answers carry a reward, and a pair needs #": 1,
    }


def test_lengths_in_both_units() -> None:
    sides = [("aaaa bb", "cc"), ("one two", "abcdefghij"), ("same", "also"), ("a b c d", "abcdefg")]
    found = audit_of(*(PLAIN._replace(chosen=one, rejected=other) for one, other in sides))
    characters, words = found.characters, found.words
    assert (characters.longer.count, characters.shorter.count, characters.equal.count) == (1, 1, 2)
    assert (words.longer.count, words.shorter.count, words.equal.count) == (3, 0, 1)
    assert (characters.accuracy, words.accuracy) == (0.5, 0.875)
    assert (characters.median_ratio, words.median_ratio) == (1.0, 2.0)
    low, high = characters.interval
    assert low < 0.25 < high


def test_margin_against_length() -> None:
    texts = [("aaaa", "a"), ("aaa", "a"), ("aa", "a"), ("a", "aaa")]
    up = [PLAIN._replace(chosen=one, rejected=other, margin=4.0 - n) for n, (one, other) in enumerate(texts)]
    found = audit_of(*up)
    assert found.characters.spearman == pytest.approx(1.0)
    assert (found.margins.known, found.margins.median) == (4, 2.5)
    assert (found.margins.when_longer, found.margins.when_shorter) == (3.0, 1.0)
    down = [pair._replace(margin=5.0 - (pair.margin or 0.0)) for pair in up]
    assert audit_of(*down).characters.spearman == pytest.approx(-1.0)
    assert audit_of(*(pair._replace(margin=1.0) for pair in up)).characters.spearman is None
    assert audit_of(*(pair._replace(margin=None) for pair in up)).margins.median is None


def test_nothing_audits_to_nothing() -> None:
    found = audit_of()
    assert (found.seen, found.pairs, found.unpaired, found.aside) == (0, 0, 0, {})
    assert counts(found) == {} and found.characters.median_ratio is None and found.characters.accuracy == 0.5


ANSWERS = st.sampled_from(["", "a", "b c", LONG, LONG.replace("mill", "mall"), REFUSES, "我们走吧"])
MARGINS = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 2.0])


@st.composite
def any_pairs(draw: st.DrawFn) -> list[Pair]:
    rows = draw(st.lists(st.tuples(st.sampled_from("pqr"), ANSWERS, ANSWERS, MARGINS), max_size=12))
    return [Pair(str(n), *row, None, None) for n, row in enumerate(rows)]


def plain_audit(pairs: Sequence[Pair]) -> Audit:
    return audit(measured(pl.DataFrame(pairs, schema=PAIRS, orient="row")))


@given(any_pairs())
def test_swapped_sides_mirror_the_shares(pairs: list[Pair]) -> None:
    there = plain_audit(pairs)
    back = plain_audit([pair._replace(chosen=pair.rejected, rejected=pair.chosen) for pair in pairs])
    for unit in ("characters", "words"):
        one, other = getattr(there, unit), getattr(back, unit)
        assert (one.longer.count, one.shorter.count) == (other.shorter.count, other.longer.count)
        assert one.equal == other.equal and one.accuracy == pytest.approx(1 - other.accuracy)
        if one.spearman is not None:
            assert one.spearman == pytest.approx(-other.spearman)
    assert there.refusals_chosen == back.refusals_rejected and there.refusals_rejected == back.refusals_chosen
    for name in ("near_identical", "identical", "empty", "duplicate_pairs", "contradictory", "ties", "reversed"):
        assert getattr(there, name) == getattr(back, name)


@given(any_pairs(), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(pairs: list[Pair], seed: int) -> None:
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    there, other = plain_audit(pairs), plain_audit(shuffled)
    for field in fields(Audit):
        one, two = getattr(there, field.name), getattr(other, field.name)
        if isinstance(one, Finding):
            assert replace(one, examples=()) == replace(two, examples=()), field.name
    for unit in ("characters", "words"):
        assert getattr(there, unit).interval == getattr(other, unit).interval
        assert getattr(there, unit).median_ratio == getattr(other, unit).median_ratio


@given(any_pairs())
def test_lengths_part_the_pairs(pairs: list[Pair]) -> None:
    found = plain_audit(pairs)
    for lengths in (found.characters, found.words):
        assert lengths.longer.count + lengths.shorter.count + lengths.equal.count == found.pairs == len(pairs)
