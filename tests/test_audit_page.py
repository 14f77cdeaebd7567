"""The page of an audit: what was found stands in rows, the rest in one line."""

import io

import polars as pl
from rich.console import Console

from tuneworks.pipelines.audit.measures import measured
from tuneworks.pipelines.audit.page import show
from tuneworks.pipelines.audit.pairs import PAIRS, Pair
from tuneworks.pipelines.audit.statistics import audit


def page(*pairs: Pair) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(console, audit(measured(pl.DataFrame(pairs, schema=PAIRS, orient="row"))))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_findings_lengths_and_margins_are_shown() -> None:
    tie = Pair("[b]id", "p", "a long answer", "short", 0.0, None, None)
    said = page(tie, tie._replace(id="other", prompt="q", margin=1.0), tie._replace(id="third", prompt="r", margin=0.5))
    (row,) = [line for line in said.splitlines() if line.startswith("a tie")]
    assert row.split()[-3:] == ["1", "33.33%", "[b]id"]
    assert "3 pairs" in said and "3 (100.0%)" in said and "43.9% to 100.0%" in said
    assert "Not found: the prompts of the two answers differ; " in said and "a tie" not in said.split("Not found")[1]
    assert "Margin known of 3 pairs; median 0.5; 0.5 where the chosen answer is longer" in said


def test_reasons_of_what_was_set_aside_are_shown() -> None:
    said = page(Pair("x", "p", "", "b", None, None, "the chosen answer is empty"))
    assert "0 pairs; 1 more set aside" in said and "1  the chosen answer is empty" in said
    assert "by length" not in said
